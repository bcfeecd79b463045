"""nginx with the blobs as plain files: the practical limit."""

from harness.targets import Nginx


class Target(Nginx):
    name = "nginx static"
    is_cache = False

    def configuration(self):
        return f"server {{ listen 127.0.0.1:{self.port} backlog=4096; {self.files()} }}"

"""nginx with proxy_cache in front of the upstream: what people write by hand."""

from harness.targets import Nginx


class Target(Nginx):
    name = "nginx proxy_cache"
    cache = "cache"

    def configuration(self):
        return (
            f"proxy_cache_path {self.work}/cache keys_zone=c:64m max_size=40g inactive=1d;\n"
            f" server {{ listen 127.0.0.1:{self.port} backlog=4096; location / {{\n"
            f"  proxy_pass http://127.0.0.1:{self.run.upstream.port}; proxy_http_version 1.1;\n"
            '  proxy_set_header Connection ""; proxy_cache c; proxy_cache_valid 200 1d;\n'
            "  proxy_cache_lock on; proxy_cache_lock_timeout 600s; } }")

"""Debian's docker-registry as a pull-through cache."""

import os

from harness.targets import Process


class Target(Process):
    name = "docker-registry"
    cache = "store"
    restless = True
    needs = {"docker-registry": "docker-registry"}

    def command(self):
        path = os.path.join(self.work, "config.yml")
        with open(path, "w") as file:
            file.write(
                "version: 0.1\nlog: { level: error, accesslog: { disabled: true } }\n"
                f"storage: {{ filesystem: {{ rootdirectory: {self.work}/store }} }}\n"
                f"http: {{ addr: '127.0.0.1:{self.port}' }}\n"
                f"proxy: {{ remoteurl: 'http://127.0.0.1:{self.run.upstream.port}' }}\n")
        return ["docker-registry", "serve", path]

    @property
    def base(self):
        return f"http://127.0.0.1:{self.port}/v2/{self.run.image}"

"""Cistern as built from this tree, or $CISTERN."""

import datetime
import json
import os
import urllib.request

from harness.targets import Process, free_port


#: A hosted repository in front of the proxy.
GROUP = "all"


class Target(Process):
    name = "cistern"
    cache = "store"

    #: Event loops, and what else a scenario wants of it.
    loops = 1
    max_size = "40GiB"
    tls = None
    log_level = "warn"

    def __init__(self, run, name=None):
        super().__init__(run, name)
        self.admin = free_port()
        self.store = os.path.join(self.work, self.cache)

    def command(self):
        path = os.path.join(self.work, "config.toml")
        secure = 'tls = "bench"\n' if self.tls else ""
        certificate = ""
        if self.tls:
            certificate = f'[tls.bench]\ncertificate = "{self.tls[0]}"\nkey = "{self.tls[1]}"\n'
        with open(path, "w") as file:
            file.write(f"""version = 1
[cache]
path = "{self.store}"
max_size = "{self.max_size}"
min_free = "64MiB"
[[listener]]
address = "127.0.0.1:{self.port}"
route = ["path"]
{secure}[admin]
address = "127.0.0.1:{self.admin}"
{certificate}[repositories.bench]
type = "proxy"
registry = "bench.example.org"
upstream = "http://127.0.0.1:{self.run.upstream.port}"
tag_ttl = "1d"
[repositories.own]
type = "hosted"
[repositories.{GROUP}]
type = "group"
members = ["own", "bench"]
[limits]
connections = 20000
connections_per_address = 20000
requests_per_connection = 1000000000
idle_timeout = "10m"
[threads]
loops = {self.loops}
[log]
level = "{self.log_level}"
format = "json"
access = "off"
""")
        root = ["--allow-root"] if os.geteuid() == 0 else []
        return [self.run.cistern, "serve", "-c", path] + root

    @property
    def base(self):
        scheme = "https" if self.tls else "http"
        return f"{scheme}://127.0.0.1:{self.port}/v2/bench/{self.run.image}"

    def in_group(self, url):
        """The same, asked of the group."""
        return url.replace("/v2/bench/", f"/v2/{GROUP}/", 1)

    def stored(self, blob):
        """The file of a blob that was pulled."""
        algorithm, hash = blob.split(":")
        return os.path.join(self.store, "blobs", algorithm, hash[:2], hash)

    def used(self):
        """Bytes that count against the limit: blobs, and what it takes to know them."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics") as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith("cistern_store_size_bytes "):
                    return int(float(line.split()[1]))
        raise RuntimeError("no cistern_store_size_bytes")

    def evictions(self):
        """When blobs were evicted, by `time.time()`, and how many; with `log_level` "info"."""
        with open(os.path.join(self.work, "log")) as log:
            events = [json.loads(line) for line in log if '"evicted"' in line]
        return [
            (datetime.datetime.fromisoformat(event["time"].replace("Z", "+00:00")).timestamp(),
             event["objects"]) for event in events]

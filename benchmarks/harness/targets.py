"""What is measured: each target is a file in benchmarks/targets that defines one class `Target`.

A target serves the site (see site.py), or fetches it from the upstream, under `base`, the URL in
front of `/blobs/…` and `/manifests/…`. To measure another server, copy one of the files.
"""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

from . import machine

CORE = 0
HERE = os.path.dirname(os.path.abspath(__file__))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A server under test: pinned to one core with all its threads, ended by `stop`."""

    #: How the tables name it.
    name = ""
    #: Whether it is a cache in front of the upstream, or serves files that are there.
    is_cache = True
    #: Whether it goes on using the processor when nobody asks it for anything.
    restless = False
    #: Where it keeps what it has fetched, in its working folder.
    cache = ""
    #: Programs it needs, and the Debian package of each.
    needs = {}

    def __init__(self, run, name=None):
        self.run = run
        self.name = name or self.name
        self.work = os.path.join(run.work, self.name.replace(" ", "-"))
        os.makedirs(self.work, exist_ok=True)
        self.port = free_port()
        self.process = None

    def command(self):
        """The command line that serves on `self.port`."""
        raise NotImplementedError

    def forget(self):
        """Removes what it has cached; called while it is stopped."""
        if self.cache:
            shutil.rmtree(os.path.join(self.work, self.cache), ignore_errors=True)

    def drop_page_cache(self):
        """Has the kernel forget the pages of what it has cached."""
        machine.drop_page_caches(os.path.join(self.work, self.cache))

    def start(self, cores=str(CORE)):
        log = open(os.path.join(self.work, "log"), "ab")
        self.process = subprocess.Popen(
            ["taskset", "-c", cores] + self.command(), stdout=log, stderr=log)
        self.wait(self.base.split("/v2/")[0] + "/v2/")

    def wait(self, url):
        until = time.monotonic() + 30
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            try:
                urllib.request.urlopen(url, timeout=5).close()
                return
            except urllib.error.HTTPError:
                return
            except OSError:
                time.sleep(0.02)
        with open(os.path.join(self.work, "log")) as log:
            raise RuntimeError(f"{self.name} does not answer: {log.read()[-2000:]}")

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def hold(self):
        """Has it use no processor until it goes on."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def restart(self, forgetting=False):
        self.stop()
        if forgetting:
            self.forget()
        self.start()

    @property
    def pids(self):
        return [self.process.pid] + machine.children(self.process.pid)

    def cpu(self):
        return machine.cpu_seconds(self.pids)

    def resident(self):
        return machine.resident_bytes(self.pids)

    def blob(self, digest):
        return f"{self.base}/blobs/{digest}"

    def manifest(self, reference):
        return f"{self.base}/manifests/{reference}"


class Nginx(Process):
    """What all configurations of nginx have in common."""

    needs = {"nginx": "nginx"}
    http = ""

    def command(self):
        path = os.path.join(self.work, "nginx.conf")
        user = "user root;" if os.geteuid() == 0 else ""
        folders = " ".join(
            f"{each}_temp_path {self.work}/{each};"
            for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        with open(path, "w") as file:
            file.write(
                f"daemon off; pid {self.work}/pid; error_log {self.work}/errors warn;\n"
                f"worker_processes 1; {user}\n"
                "events { worker_connections 20000; }\n"
                "http {\n access_log off; sendfile on; tcp_nopush on;\n"
                f" keepalive_requests 1000000000; keepalive_timeout 600s; {folders}\n"
                f" {self.configuration()}\n}}\n")
        return ["nginx", "-c", path]

    def files(self):
        """Locations that serve the site as a registry does."""
        manifest = self.run.site.manifest
        return (
            f"root {self.run.site.root}; location = /v2/ {{ return 200; }}\n"
            " location ~ /manifests/ { types { } default_type "
            "application/vnd.oci.image.manifest.v1+json;\n"
            f"  add_header Docker-Content-Digest {manifest}; }}\n"
            " location ~ /blobs/ { types { } default_type application/octet-stream; }")

    @property
    def base(self):
        return f"http://127.0.0.1:{self.port}/v2/{self.run.image}"


def load(run):
    """All targets of the folder, by name; those whose programs are missing are left out."""
    found = {}
    folder = os.path.join(os.path.dirname(HERE), "targets")
    for file in sorted(os.listdir(folder)):
        if not file.endswith(".py"):
            continue
        spec = importlib.util.spec_from_file_location(file[:-3], os.path.join(folder, file))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        target = module.Target(run)
        missing = [each for each in target.needs if shutil.which(each) is None]
        if missing:
            print(f"left out: {target.name}, which needs {', '.join(missing)}")
            continue
        found[target.name] = target
    return found

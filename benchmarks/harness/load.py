"""Clients: wrk for what is small, drain.py for what is large, curl for single downloads."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

CORE = 1
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
#: What every client of a registry says, and docker-registry answers 404 without.
ACCEPT = "Accept: application/vnd.oci.image.manifest.v1+json"
DRAIN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "drain.py")
TIMES = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


def pinned(command, core=CORE):
    return ["taskset", "-c", str(core)] + command


class Script:
    """A script of wrk that asks for many paths in a fixed order that is as good as shuffled."""

    def __init__(self, paths):
        self.folder = tempfile.TemporaryDirectory(prefix="cistern-wrk-")
        names = os.path.join(self.folder.name, "paths")
        with open(names, "w") as file:
            file.writelines(f"{path}\n" for path in paths)
        # A stride that has no divisor in common with the count visits all of them.
        text = (
            f'local paths = {{}}\nfor path in io.lines("{names}") do paths[#paths + 1] = path end\n'
            "local at = 0\nlocal count = #paths\n"
            "request = function()\n at = (at + 7919) % count\n"
            ' return wrk.format("GET", paths[at + 1])\nend\n')
        self.path = os.path.join(self.folder.name, "script.lua")
        with open(self.path, "w") as file:
            file.write(text)

    def close(self):
        self.folder.cleanup()


def _wrk_command(url, connections, seconds, script):
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "--latency",
               "-H", ACCEPT]
    return pinned(command + (["-s", script.path] if script else []) + [url])


def wrk(url, connections, seconds, paths=None):
    """One run: requests, bytes, seconds and latencies; of `paths`, if there are any."""
    script = Script(paths) if paths else None
    try:
        for attempts_left in (2, 1, 0):
            try:
                return _wrk_result(url, subprocess.run(
                    _wrk_command(url, connections, seconds, script),
                    capture_output=True, text=True, check=True).stdout)
            except RuntimeError as error:
                # A run in which a connection broke says nothing about speed.
                if not attempts_left:
                    raise
                print(f"  (again: {str(error).splitlines()[-1]})")
    finally:
        if script:
            script.close()


def wrk_all(url, connections, paths, passes):
    """Asks for all of `paths`, at least so many times."""
    wanted = len(paths) * passes
    seconds = 1 + wanted // 15_000
    # Every run begins with the same path: only one that is long enough comes to all of them.
    while wrk(url, connections, seconds, paths)["requests"] < wanted:
        seconds *= 2


def _wrk_result(url, text):
    if "Non-2xx" in text or "Socket errors" in text:
        raise RuntimeError(f"{url}: {text}")
    requests, duration, amount, unit = re.search(
        r"(\d+) requests in ([\d.]+\w+), ([\d.]+)([KMGT]?)B read", text).groups()

    def latency(share):
        # There is none if nothing was answered.
        found = re.search(rf"{share}%\s+([\d.]+[a-z]+)", text)
        return _seconds(found.group(1)) if found else None

    return {
        "requests": int(requests),
        "seconds": _seconds(duration),
        "bytes": float(amount) * UNITS[unit],
        "p50": latency(50),
        "p99": latency(99),
    }


def _seconds(text):
    value, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(value) * TIMES[unit]


class Asking:
    """wrk for as long as the `with` lasts; its `result` afterwards."""

    def __init__(self, url, connections, paths):
        self.url = url
        self.script = Script(paths)
        self.command = _wrk_command(url, connections, 600, self.script)

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        # wrk begins within that; what it is asked to measure is yet to come.
        time.sleep(0.2)
        return self

    def __exit__(self, kind, *_):
        self.process.send_signal(signal.SIGINT)
        text = self.process.communicate()[0]
        self.script.close()
        if kind is None:
            self.result = _wrk_result(self.url, text)


def drain(url, connections, seconds):
    """Large bodies on some connections: bytes that came, and seconds."""
    run = subprocess.run(
        pinned([sys.executable, DRAIN, url, str(connections), str(seconds)]),
        capture_output=True, text=True)
    if run.returncode:
        raise RuntimeError(run.stderr.strip().rsplit("\n", 1)[-1])
    bytes, seconds = run.stdout.split()
    return int(bytes), float(seconds)


def download(url, output="/dev/null", extra=()):
    """One download by curl: seconds, and seconds to the first byte."""
    result = subprocess.run(
        pinned(["curl", "-sSf", "-H", ACCEPT, "-o", output, "-w",
                "%{time_total} %{time_starttransfer}", *extra, url]),
        capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"{url}: {result.stderr.strip()}")
    total, first = result.stdout.split()
    return float(total), float(first)


def check(url, digest, extra=()):
    """What a client does that trusts nobody: downloads and hashes; seconds."""
    begin = time.monotonic()
    options = shlex.join([*extra, url])
    text = subprocess.run(
        pinned(["sh", "-c", f"curl -sf {options} | openssl dgst -sha256 -r"]),
        capture_output=True, text=True, check=True).stdout
    seconds = time.monotonic() - begin
    if "sha256:" + text.split()[0] != digest:
        raise RuntimeError(f"{url}: the body is something else")
    return seconds


class Repeating:
    """Runs a command beside others for as long as the `with` lasts: again and again.

    It gives way to others on its core, the clients': what is measured is how the server is shared.
    """

    def __init__(self, command, between=lambda: None):
        self.command = ["nice", "-n", "19"] + pinned(command)
        self.between = between
        self.process = None
        self.ending = False

    def __enter__(self):
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        return self

    def _run(self):
        while not self.ending:
            self.between()
            self.process = subprocess.Popen(self.command, stderr=subprocess.DEVNULL)
            self.process.wait()

    def __exit__(self, *_):
        self.ending = True
        while self.thread.is_alive():
            if self.process:
                self.process.kill()
            self.thread.join(0.05)


def downloading(url, between=lambda: None):
    """Downloads `url` again and again, with `between` called before each."""
    return Repeating(["curl", "-sf", "-o", "/dev/null", url], between)


def reading(path, between=lambda: None):
    """Reads a file again and again, in no server, with `between` called before each."""
    return Repeating(["dd", "bs=1M", "of=/dev/null", f"if={path}"], between)


class WarmClient:
    """One connection that has been used already."""

    def __init__(self, url):
        self.socket = socket.create_connection(address(url))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.first_byte(url)

    def first_byte(self, url):
        """Seconds from the request to the first byte of the body, which is read to its end."""
        path = url.split("/", 3)[3]
        request = f"GET /{path} HTTP/1.1\r\nHost: {address(url)[0]}\r\n{ACCEPT}\r\n\r\n".encode()
        begin = time.monotonic()
        self.socket.sendall(request)
        head = b""
        while not (found := re.match(rb"(?s)(.*?)\r\n\r\n(.+)", head)):
            piece = self.socket.recv(64 << 10)
            if not piece:
                raise RuntimeError(f"{url}: no answer")
            head += piece
        seconds = time.monotonic() - begin
        fields, body = found.groups()
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", fields)
        if b" 200 " not in fields.split(b"\r\n")[0] or not length:
            raise RuntimeError(f"{url}: {fields!r}")
        left = int(length.group(1)) - len(body)
        while left:
            left -= len(self.socket.recv(min(left, 1 << 20))) or left
        return seconds

    def close(self):
        self.socket.close()


def downloads_at_once(url, count):
    """`count` downloads of one URL begun together: seconds until the last has ended."""
    with tempfile.NamedTemporaryFile("w", suffix=".curl") as config:
        for _ in range(count):
            config.write(f'url = "{url}"\noutput = "/dev/null"\n')
        config.flush()
        begin = time.monotonic()
        subprocess.run(
            pinned(["curl", "-sf", "--parallel", "--parallel-immediate", "--parallel-max",
                    str(count), "-K", config.name]), check=True, capture_output=True)
        return time.monotonic() - begin


def address(url):
    host, port = re.match(r"https?://([\d.]+):(\d+)", url).groups()
    return host, int(port)


class Sockets:
    """Connections that are held open, and say little or read slowly."""

    def __init__(self, url):
        self.host = address(url)
        self.path = url.split("/", 3)[3]
        self.open = []

    def _connect(self, receive_buffer=None):
        made = socket.socket()
        if receive_buffer:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        made.connect(self.host)
        self.open.append(made)
        return made

    def _ask(self, made):
        made.sendall(f"GET /{self.path} HTTP/1.1\r\nHost: {self.host[0]}\r\n"
                     f"{ACCEPT}\r\n\r\n".encode())

    def idle(self, count):
        """Connections that were served once and are kept."""
        for _ in range(count):
            made = self._connect()
            self._ask(made)
            head = b""
            while b"\r\n\r\n" not in head:
                head += made.recv(4096)

    def slow(self, count):
        """Connections that ask for much and read a first piece only."""
        for _ in range(count):
            made = self._connect(receive_buffer=4096)
            self._ask(made)
            made.recv(1024)

    def close(self):
        for made in self.open:
            made.close()
        self.open = []

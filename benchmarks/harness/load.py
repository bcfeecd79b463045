"""Clients: wrk for what is asked often, curl for single downloads, sockets for what is slow."""

import os
import re
import socket
import subprocess
import tempfile
import time

CORE = 1
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
#: What every client of a registry says, and docker-registry answers 404 without.
ACCEPT = "Accept: application/vnd.oci.image.manifest.v1+json"
TIMES = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


def pinned(command, core=CORE):
    return ["taskset", "-c", str(core)] + command


def wrk(url, connections, seconds, paths=None):
    """One run: requests, bytes, seconds and latencies; `paths` are asked for in a shuffled order."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "--latency",
               "-H", ACCEPT]
    script = None
    if paths is not None:
        script = tempfile.NamedTemporaryFile("w", suffix=".lua", delete=False)
        with script:
            script.write("local paths = {\n")
            script.writelines(f'"{path}",\n' for path in paths)
            # A stride that has no divisor in common with the count visits all of them.
            script.write(
                "}\nlocal at = 0\nlocal count = #paths\n"
                "request = function()\n at = (at + 7919) % count\n"
                ' return wrk.format("GET", paths[at + 1])\nend\n')
        command += ["-s", script.name]
    try:
        text = subprocess.run(
            pinned(command + [url]), capture_output=True, text=True, check=True).stdout
    finally:
        if script:
            os.unlink(script.name)
    if "Non-2xx" in text or "Socket errors" in text:
        raise RuntimeError(f"{url}: {text}")
    requests, duration, amount, unit = re.search(
        r"(\d+) requests in ([\d.]+)s, ([\d.]+)([KMGT]?)B read", text).groups()

    def latency(share):
        value, unit = re.search(rf"{share}%\s+([\d.]+)(us|ms|s|m)", text).groups()
        return float(value) * TIMES[unit]

    return {
        "requests": int(requests),
        "seconds": float(duration),
        "bytes": float(amount) * UNITS[unit],
        "p50": latency(50),
        "p99": latency(99),
    }


def download(url, output="/dev/null", extra=()):
    """One download by curl: seconds, and seconds to the first byte."""
    text = subprocess.run(
        pinned(["curl", "-sf", "-H", ACCEPT, "-o", output, "-w",
                "%{time_total} %{time_starttransfer}", *extra, url]),
        capture_output=True, text=True, check=True).stdout
    total, first = text.split()
    return float(total), float(first)


def download_hashed(url):
    """What a client does that trusts nobody: downloads and hashes; seconds and digest."""
    begin = time.monotonic()
    text = subprocess.run(
        pinned(["sh", "-c", f"curl -sf '{url}' | openssl dgst -sha256 -r"]),
        capture_output=True, text=True, check=True).stdout
    return time.monotonic() - begin, "sha256:" + text.split()[0]


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

"""The least that a miss can cost: receive, hash, write. Prints its CPU seconds and the digest."""

import hashlib
import os
import re
import resource
import socket
import sys

PIECE = 256 << 10


def main(url, output):
    host, port, path = re.match(r"http://([\d.]+):(\d+)(/.*)", url).groups()
    connection = socket.create_connection((host, int(port)))
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(4096)
    rest = head.split(b"\r\n\r\n", 1)[1]
    buffer = bytearray(PIECE)
    view = memoryview(buffer)
    view[: len(rest)] = rest
    filled = len(rest)
    hash = hashlib.sha256()
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    before = resource.getrusage(resource.RUSAGE_SELF)
    while True:
        count = connection.recv_into(view[filled:])
        filled += count
        if filled == PIECE or count == 0:
            hash.update(view[:filled])
            os.write(file, view[:filled])
            filled = 0
        if count == 0:
            break
    os.fsync(file)
    after = resource.getrusage(resource.RUSAGE_SELF)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(used, "sha256:" + hash.hexdigest())


main(sys.argv[1], sys.argv[2])

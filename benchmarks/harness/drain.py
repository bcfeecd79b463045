"""A client of large bodies that costs next to nothing, so that the server is what is measured.

Asks for one URL on each of its connections, again and again, and has the kernel drop the bodies
(MSG_TRUNC): wrk reads 8 KiB at a time and is slower than any server here. It asks its sockets
without sleeping, so that it is never the one that is waited for. Bytes count as they come: a body
need not end within the seconds. Prints bytes and seconds.
"""

import re
import select
import socket
import sys
import time

#: Asked of the kernel at once; as much address space, of which nothing is touched.
PIECE_MAX = 4 << 20
HEAD_MAX = 16 << 10
CONNECTIONS_MAX = 1024


class Client:
    """One connection: request, head, body, and the next."""

    def __init__(self, host, port, request):
        self.request = request
        self.socket = socket.create_connection((host, port))
        self.socket.setblocking(False)
        self.ask()

    def ask(self):
        self.socket.sendall(self.request)
        self.head = b""
        #: Bytes of the body that have not come yet; None while the head has not.
        self.left = None

    def receive(self, memory):
        """Drops what is there; bytes of bodies that came."""
        came = 0
        try:
            if self.left is None:
                came += self.receive_head()
            while self.left:
                wanted = min(self.left, PIECE_MAX)
                count = self.socket.recv_into(memory, wanted, socket.MSG_TRUNC)
                if count == 0:
                    raise RuntimeError(f"the body ended {self.left} bytes too early")
                came += count
                self.left -= count
                if count < wanted:
                    return came
            self.ask()
        except BlockingIOError:
            pass
        return came

    def receive_head(self):
        """Reads up to the body; bytes of it that came with the head."""
        while b"\r\n\r\n" not in self.head:
            piece = self.socket.recv(4096)
            if not piece or len(self.head) > HEAD_MAX:
                raise RuntimeError(f"no answer: {self.head[:200]!r}")
            self.head += piece
        head, begin = self.head.split(b"\r\n\r\n", 1)
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if b" 200 " not in head.split(b"\r\n")[0] or not length:
            raise RuntimeError(f"not what was asked for: {head!r}")
        self.left = int(length.group(1)) - len(begin)
        return len(begin)


def main(url, connections, seconds):
    if not 1 <= connections <= CONNECTIONS_MAX:
        raise RuntimeError(f"{connections} connections: 1 to {CONNECTIONS_MAX} are possible")
    host, port, path = re.match(r"http://([\d.]+):(\d+)(/.*)", url).groups()
    request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()
    clients = {}
    poller = select.epoll()
    for _ in range(connections):
        client = Client(host, int(port), request)
        clients[client.socket.fileno()] = client
        poller.register(client.socket, select.EPOLLIN)
    memory = memoryview(bytearray(PIECE_MAX))
    begin = time.monotonic()
    total = 0
    while time.monotonic() < begin + seconds:
        for descriptor, _ in poller.poll(0):
            total += clients[descriptor].receive(memory)
    print(total, time.monotonic() - begin)


main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))

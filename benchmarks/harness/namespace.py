"""A network of its own: what the machine's congestion control costs is no server's.

A congestion control that paces (bbr) sets a timer for nearly each packet. On a virtual machine
every timer is an exit, and the server pays five to eight times the CPU for each GB on loopback.
"""

import fcntl
import os
import socket
import struct
import subprocess
import sys

INSIDE = "CISTERN_BENCHMARK_NAMESPACE"
CONTROL = "/proc/sys/net/ipv4/tcp_congestion_control"
PACING = ("bbr",)
#: What is taken instead, the first that the kernel permits.
PLAIN = ("cubic", "reno")
SIOCSIFFLAGS = 0x8914
IFF_UP, IFF_RUNNING = 0x1, 0x40


def control():
    """The congestion control of sockets made here."""
    with open(CONTROL) as file:
        return file.read().strip()


def enter(environment):
    """Runs this program again in a network namespace of its own; returns where that cannot be."""
    if INSIDE in os.environ or os.geteuid() != 0:
        return
    trial = subprocess.run(["unshare", "--net", "true"], capture_output=True)
    if trial.returncode == 0:
        again = ["unshare", "--net", sys.executable, *sys.argv]
        os.execvpe("unshare", again, {**os.environ, **environment, INSIDE: "1"})


def bring_up(interface):
    """What `ip link set lo up` does, which not every machine has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        wanted = struct.pack("16sh14x", interface, IFF_UP | IFF_RUNNING)
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, wanted)


def prepare():
    """Makes the namespace's loopback usable; says which network is measured on."""
    if INSIDE not in os.environ:
        return f"the machine's own loopback, {control()}"
    bring_up(b"lo")
    for each in PLAIN if control().startswith(PACING) else ():
        try:
            with open(CONTROL, "w") as file:
                file.write(each)
            break
        except OSError:
            continue
    return f"loopback of a network namespace of its own, {control()}"

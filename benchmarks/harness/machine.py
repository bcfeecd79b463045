"""What the machine is and what its processes have used."""

import os
import subprocess
import time

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids):
    """User and system time of these processes, all their threads."""
    total = 0.0
    for pid in pids:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rsplit(") ", 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) / TICKS
    return total


def resident_bytes(pids):
    """Resident memory of these processes."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/status") as file:
            for line in file:
                if line.startswith("VmRSS:"):
                    total += int(line.split()[1]) * 1024
    return total


def written_bytes(pids):
    """What these processes have had written to disk; the kernel counts it when pages get dirty."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/io") as file:
            for line in file:
                if line.startswith("write_bytes:"):
                    total += int(line.split()[1])
    return total


def tcp_memory():
    """Pages that the kernel's sockets hold."""
    with open("/proc/net/sockstat") as file:
        for line in file:
            if line.startswith("TCP:"):
                fields = line.split()
                return int(fields[fields.index("mem") + 1])
    return 0


def wait_for_tcp_memory(pages):
    """Waits until the kernel's sockets hold about as little as that again."""
    until = time.monotonic() + 20
    while tcp_memory() > pages + 1000 and time.monotonic() < until:
        time.sleep(0.05)


def children(pid):
    """The direct children of a process."""
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True)
    return [int(text) for text in found.stdout.split()]


def describe():
    """Processor, kernel and memory in one line."""
    model = "unknown processor"
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return f"{os.cpu_count()} × {model}, {pages >> 30} GiB, Linux {os.uname().release}"


def drop_page_cache(path):
    """Has the kernel forget the file's pages."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def drop_page_caches(folder):
    """The same for all files below a folder."""
    for path, _, names in os.walk(folder):
        for name in names:
            file = os.path.join(path, name)
            if os.path.isfile(file):
                drop_page_cache(file)

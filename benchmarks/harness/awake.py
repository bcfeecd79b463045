"""Keeps the cores from halting while a run lasts.

On a virtual machine a core that has nothing to do leaves it, and waking it leaves it again. Where
server and client take turns, as with one connection, that is most of the CPU time of both, the same
for any server. Something that spins whenever nobody else wants the core (SCHED_IDLE) prevents it.
"""

import os

ROUNDS = 1_000_000


class Awake:
    """One spinning process for each core, for as long as the `with` lasts."""

    def __enter__(self):
        self.spinning = [_spin(core) for core in sorted(os.sched_getaffinity(0))]
        return self

    def __exit__(self, *_):
        for pid in self.spinning:
            os.kill(pid, 9)
            os.waitpid(pid, 0)


def _spin(core):
    """Forks; the child ends with its parent, however that ends."""
    parent = os.getpid()
    child = os.fork()
    if child:
        return child
    try:
        os.sched_setaffinity(0, {core})
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        while os.getppid() == parent:
            for _ in range(ROUNDS):
                pass
    finally:
        os._exit(0)

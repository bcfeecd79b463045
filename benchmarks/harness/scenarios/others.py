"""What others notice: of large transfers, of many connections, of slow ones."""

import os

from .. import load, machine
from .measuring import GIB, LIMIT, MIB, median, prepared


def p99(target, runs=3):
    """The p99 of manifest hits on a few connections: of several short runs the least.

    What else the machine, or its host, does for seconds at a time only adds to it.
    """
    url = target.manifest("latest")
    return min(load.wrk(url, 4, 1)["p99"] for _ in range(runs))


def p99_beside(target, other):
    """The same while something else goes on."""
    with other:
        return p99(target)


def beside_a_fetch(run):
    """Also Cistern's hits while another program reads the file from disk: then it is not Cistern
    that they wait for, but the disk's interrupts and whoever shares the core with their client."""
    idle, busy, cold = {}, {}, {}
    large = run.large[GIB]
    elsewhere = "read by dd"
    for _ in range(run.long_rounds):
        for target in [run.targets[name] for name in ("cistern", "nginx proxy_cache")]:
            target.restart(forgetting=True)
            load.download(target.manifest("latest"))
            load.download(target.blob(large))
            idle.setdefault(target.name, []).append(p99(target))
            forget = target.drop_page_cache
            cold.setdefault(target.name, []).append(
                p99_beside(target, load.downloading(target.blob(large), forget)))
            if target.name == "cistern":
                cold.setdefault(elsewhere, []).append(
                    p99_beside(target, load.reading(target.stored(large), forget)))
            blob = run.site.sparse_blob(4 * GIB)
            # The upstream shares the client's core, and filling the pages of a hole takes it for
            # tens of milliseconds at a time.
            run.site.read(blob)
            busy.setdefault(target.name, []).append(
                p99_beside(target, load.downloading(target.blob(blob))))
            os.unlink(run.site.path(blob))
            # What was being fetched for that goes on otherwise, and has to be written.
            target.stop()
            target.forget()
    idle[elsewhere] = idle["cistern"]

    def times(beside):
        return {name: median(beside[name]) / median(idle[name]) for name in beside}

    run.report.figure(
        "small hits while 4 GiB are fetched", "p99, × idle", times(busy), at_most=2.0)
    run.report.figure(
        "small hits while 1 GiB is read from disk", "p99, × idle", times(cold), at_most=2.0)


def idle_connections(run):
    grown = {}
    blob = run.site.config
    # Each answer takes docker-registry some milliseconds, and each connection needs one.
    for name, count in (("cistern", 9000), (LIMIT, 9000), ("docker-registry", 1000)):
        for target in prepared(run, [name], lambda target: [target.blob(blob)]):
            sockets = load.Sockets(target.blob(blob))
            # What the first thousand need once for all does not count.
            sockets.idle(1000)
            before = target.resident()
            sockets.idle(count)
            grown[name] = (target.resident() - before) / count / 1024
            sockets.close()
            target.stop()
    run.report.figure("10,000 idle connections", "KiB resident each", grown, at_most=4.0)


def slow_readers(run):
    grown, slower = {}, {}
    blob = run.large[64 * MIB]
    for name in ("cistern", LIMIT, "docker-registry"):
        for target in prepared(
                run, [name], lambda target: [target.blob(blob), target.manifest("latest")]):
            idle = p99(target, run.rounds)
            before, kernel = target.resident(), machine.tcp_memory()
            sockets = load.Sockets(target.blob(blob))
            sockets.slow(1000)
            grown[name] = (target.resident() - before) / MIB
            slower[name] = p99(target, run.rounds) / idle
            sockets.close()
            target.stop()
            machine.wait_for_tcp_memory(kernel)
    what = "1,000 slow readers of one blob"
    run.report.figure(what, "MiB resident grown", grown, at_most=16)
    run.report.figure(what, "p99 of others, × before", slower, at_most=2.0)

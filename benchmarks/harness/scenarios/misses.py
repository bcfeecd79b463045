"""Misses: what is not there is fetched, and sent while it comes."""

import os
import subprocess
import sys

from .. import load, machine
from .measuring import GIB, MIB, median, prepared

BARE = os.path.join(os.path.dirname(os.path.dirname(__file__)), "bare.py")
GIGABYTES = GIB / 1e9


def cold_pull(run):
    blob = run.large[GIB]
    names = [each for each in ("cistern", "nginx proxy_cache", "docker-registry")
             if each in run.targets]
    rounds = {name: [] for name in names + ["direct", "bare loop"]}
    for _ in range(run.long_rounds):
        rounds["direct"].append({"wall s": load.check(run.upstream.blob(blob), blob)})
        rounds["bare loop"].append({"cpu s/GB": bare(run, blob) / GIGABYTES})
        for name in names:
            rounds[name].append(pull(run.targets[name], blob))

    def of(key):
        return {
            name: median([each[key] for each in results])
            for name, results in rounds.items() if key in results[0]
        }

    what = "cold pull of 1 GiB"
    run.report.ratio(what, "wall s", of("wall s"), against="direct", at_most=1.15)
    run.report.ratio(what, "cpu s/GB", of("cpu s/GB"), against="bare loop", at_most=1.3)
    run.report.figure(what, "disk bytes written, × size", of("written"), at_most=1.01)


def bare(run, blob):
    """CPU seconds of the bare loop."""
    os.sync()
    output = os.path.join(run.work, "bare")
    used, digest = subprocess.run(
        ["taskset", "-c", "0", sys.executable, BARE, run.upstream.blob(blob), output],
        capture_output=True, text=True, check=True).stdout.split()
    if digest != blob:
        raise RuntimeError("the bare loop got something else")
    os.unlink(output)
    return float(used)


def pull(target, blob):
    """One cold pull through a target, which is stopped afterwards."""
    target.restart(forgetting=True)
    # Nobody pays for what another one has left to be written.
    os.sync()
    before, written = target.cpu(), machine.written_bytes(target.pids)
    seconds = load.check(target.blob(blob), blob)
    result = {
        "wall s": seconds,
        "cpu s/GB": (target.cpu() - before) / GIGABYTES,
        "written": (machine.written_bytes(target.pids) - written) / GIB,
    }
    target.stop()
    return result


def first_byte(run):
    """All on a connection that is open already, in turns; the first byte of the body counts.

    Each on a quiet disk: what is written of one body is not what the next one waits for.
    """
    blobs = [run.site.blob(4 * MIB) for _ in range(60)]
    chosen = [run.upstream] + prepared(
        run, ["cistern", "nginx proxy_cache"], lambda target: [target.manifest("latest")])
    clients = {target.name: load.WarmClient(target.manifest("latest")) for target in chosen}
    times = {target.name: [] for target in chosen}
    for number, blob in enumerate(blobs):
        # Nobody has the file's pages in a warmer cache than another, taken over all rounds.
        for turn in range(len(chosen)):
            target = chosen[(number + turn) % len(chosen)]
            os.sync()
            times[target.name].append(clients[target.name].first_byte(target.blob(blob)))
    for client in clients.values():
        client.close()
    medians = {name: median(values) * 1e3 for name, values in times.items()}
    direct = medians.pop("upstream")
    run.report.figure(
        "first byte of a cold blob of 4 MiB", f"ms behind the upstream's {direct:.2f}",
        {name: value - direct for name, value in medians.items()}, at_most=2.0)


def many_on_one(run):
    """The upstream sends 20 MB/s, so that 100 clients are not the limit themselves."""
    blob = run.large[256 * MIB]
    names = [each for each in ("cistern", "nginx proxy_cache", "docker-registry")
             if each in run.targets]
    run.upstream.limit("20m")
    transfers, walls = {}, {}
    try:
        for name in names:
            target = run.targets[name]
            target.restart(forgetting=True)
            one = load.downloads_at_once(target.blob(blob), 1)
            target.restart(forgetting=True)
            sent = run.upstream.sent()
            many = load.downloads_at_once(target.blob(blob), 100)
            target.stop()
            transfers[name] = (run.upstream.sent() - sent) / (256 * MIB)
            walls[name] = many / one
    finally:
        run.upstream.limit(None)
    what = "100 clients on one cold 256 MiB blob"
    run.report.figure(what, "upstream bytes, × size", transfers, at_most=1.005)
    run.report.figure(what, "wall, × one client", walls, at_most=1.3)

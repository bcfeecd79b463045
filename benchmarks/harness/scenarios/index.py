"""Many blobs: what a large index costs."""

import collections
import contextlib
import hashlib
import os
import time

from .. import load
from ..seeding import Seeding
from .hits import measure_small
from .measuring import LIMIT, MIB, blob_paths, figures, hits, in_turns, median, prepared, warm

#: How many blobs of the index go for one pull, and the size of each of them.
EVICTED = 10_000
FILLER = 4096
#: Pulls with room and without, and those between that use up what room is left.
PULLS = 6
BETWEEN = 6
#: As clients do it after a 504: a disk that has been written to for minutes may make a pull wait too
#: long.
AGAIN = ("--retry", "5")


def begun(target):
    """Starts a target with an empty store, and has it pull the image."""
    target.restart(forgetting=True)
    load.download(target.manifest("latest"))
    load.download(target.blob(target.run.site.config))


def many_small_blob_hits(run):
    """The blobs are put where a pull would leave them, which takes less time."""
    cistern = run.targets["cistern"]
    begun(cistern)
    cistern.stop()
    noise = run.site.random.randbytes(64 << 10)
    blobs = []
    with Seeding(cistern.store) as seeding:
        for number in range(run.many):
            content = b"%016d" % number + noise[: run.site.small_size() - 16]
            hash = hashlib.sha256(content)
            blobs.append("sha256:" + hash.hexdigest())
            path = run.site.path(blobs[-1])
            with open(path, "wb", buffering=0) as file:
                file.write(content)
            seeding.add(hash.digest(), len(content), path)
    os.sync()
    cistern.start()
    settle(cistern)
    measure_small(run, prepared(run, [LIMIT, "cistern"]), blobs, passes=1)
    cistern.stop()
    for blob in blobs:
        os.unlink(run.site.path(blob))
    cistern.forget()


def settle(target):
    """Waits until the target has done what it does after a start, such as looking at its files."""
    quiet = 0
    until = time.monotonic() + 120
    while quiet < 4 and time.monotonic() < until:
        before = target.cpu()
        time.sleep(0.25)
        quiet = quiet + 1 if target.cpu() - before <= 0.01 else 0
    if quiet < 4:
        raise RuntimeError(f"{target.name} does not come to rest")


def large_index(run):
    """Beside each other: a Cistern with 1,000 blobs, and one with these and many more."""
    count = run.index_size
    blobs = [run.site.blob(FILLER) for _ in range(1000)]
    large, small = run.targets["cistern"], run.another("cistern", "small index")
    begun(large), begun(small)
    warm(large, blobs, passes=1), warm(small, blobs, passes=1)
    large.stop()
    with Seeding(large.store) as seeding, fillers(run, count) as files:
        for number in range(count):
            digest = hashlib.sha256(b"%d" % number).digest()
            seeding.add(digest, FILLER, files[number // FILES_NAMES])
    os.sync()
    begin = time.monotonic()
    large.start()
    load.download(large.blob(blobs[0]))
    started = time.monotonic() - begin
    what = f"index of {count:,} blobs"
    run.report.figure(what, "s from start to first hit", {"cistern": started}, at_most=1.0)
    small.restart()
    for target in (large, small):
        settle(target)
        warm(target, blobs)
    medians = in_turns(
        run, [small, large],
        lambda target: hits(
            target, target.blob(""), 32, run.seconds, blob_paths(target, blobs)))
    run.report.figure(what, "MiB resident", {
        "cistern": large.resident() / MIB, small.name: small.resident() / MIB}, at_most=48)
    run.report.ratio(
        what + ", 1,000 of them asked for", "cpu µs/request", figures(medians, "cpu µs/request"),
        against=small.name, at_most=1.2)
    small.stop()
    evict(run, large, what, blobs)
    for target in (large, small):
        target.stop()
        target.forget()


#: A file has at most 65,000 names on ext4.
FILES_NAMES = 50_000


@contextlib.contextmanager
def fillers(run, count):
    """Files that stand for all blobs nobody asks for."""
    files = [os.path.join(run.work, f"filler-{at}") for at in range(-(-count // FILES_NAMES))]
    for path in files:
        with open(path, "wb") as file:
            file.write(b"x" * FILLER)
    yield files
    for path in files:
        os.unlink(path)


def evict(run, cistern, what, blobs):
    """Pulls blobs of one size, first while there is room and then when each needs 10,000 others'.

    What a pull waits is the difference of the medians of these two. It is more than evicting takes:
    the space of unlinked files is kept back for a second, for whoever adds up the files meanwhile.
    """
    size = EVICTED * FILLER
    cistern.stop()
    pulled = [run.site.blob(size) for _ in range(2 * PULLS + BETWEEN)]
    cistern.start()
    used = cistern.used()
    cistern.stop()
    cistern.max_size = f"{used + (PULLS + BETWEEN // 2) * size}B"
    cistern.log_level = "info"
    try:
        cistern.start()
        settle(cistern)
        warm(cistern, blobs)
        os.sync()
        roomy, roomy_p99 = pulls(cistern, pulled[:PULLS], blobs)
        for blob in pulled[PULLS:-PULLS]:
            load.download(cistern.blob(blob), extra=AGAIN)
        tight, tight_p99 = pulls(cistern, pulled[-PULLS:], blobs)
    finally:
        cistern.max_size = type(cistern).max_size
        cistern.log_level = type(cistern).log_level
    gone = median([each.evicted for each in tight])
    if sum(each.evicted for each in roomy) or gone < EVICTED * 0.9:
        raise RuntimeError(f"evicted by pulls: {roomy} with room, {tight} without")
    what += f": a pull of {size >> 20} MiB that evicts {gone:,.0f}"
    run.report.figure(
        what, "s until they are gone",
        {"cistern": median([each.last for each in tight])}, at_most=2.0)
    seconds = [median([each.seconds for each in each_of]) for each_of in (roomy, tight)]
    run.report.figure(
        what, f"s more than the {seconds[0]:.2f} of one that does not",
        {"cistern": seconds[1] - seconds[0]})
    run.report.figure(
        f"{what}: hits meanwhile", "p99, × beside pulls that evict nothing",
        {"cistern": tight_p99 / roomy_p99}, at_most=2.0)


#: What a pull took, how many blobs were evicted for it, and when the last of them was gone.
Pull = collections.namedtuple("Pull", "seconds evicted last")


def pulls(cistern, pulled, blobs):
    """Each pull, one after the other; and the p99 of hits meanwhile."""
    timed = []
    with load.Asking(cistern.blob(""), 4, blob_paths(cistern, blobs)) as asking:
        for blob in pulled:
            begin = time.time()
            load.download(cistern.blob(blob), extra=AGAIN)
            timed.append((begin, time.time() - begin))
    evictions = cistern.evictions()
    results = []
    for begin, seconds in timed:
        own = [each for each in evictions if begin <= each[0] <= begin + seconds]
        last = max((when - begin for when, _ in own), default=0)
        results.append(Pull(seconds, sum(objects for _, objects in own), last))
    return results, asking.result["p99"]

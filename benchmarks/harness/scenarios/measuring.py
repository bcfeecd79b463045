"""What all scenarios measure with."""

import statistics

from .. import load

MIB = 1 << 20
GIB = 1 << 30
LIMIT = "nginx static"

median = statistics.median


def hits(target, url, connections, seconds, paths=None):
    """One run of wrk against one target, with the CPU time the target used for it."""
    before = target.cpu()
    result = load.wrk(url, connections, seconds, paths)
    used = target.cpu() - before
    return {
        "cpu µs/request": used * 1e6 / max(result["requests"], 1),
        "requests/s": result["requests"] / result["seconds"],
        "p99 ms": result["p99"] * 1e3,
    }


def streams(target, url, connections, seconds):
    """One run of large bodies against one target, with the CPU time the target used for it."""
    before = target.cpu()
    bytes, seconds = load.drain(url, connections, seconds)
    used = target.cpu() - before
    return {"cpu s/GB": used / max(bytes / 1e9, 1e-9), "GB/s": bytes / 1e9 / seconds}


def in_turns(run, targets, measure, rounds=None):
    """`measure` of each target in every round; the medians of each figure by target.

    What is busy although nobody asks it (`restless`) is held while others have their turn.
    """
    results = {target.name: [] for target in targets}
    restless = [target for target in targets if target.restless]
    for target in restless:
        target.hold()
    try:
        for _ in range(rounds or run.rounds):
            for target in targets:
                if target.restless:
                    target.go_on()
                results[target.name].append(measure(target))
                if target.restless:
                    target.hold()
    finally:
        for target in restless:
            target.go_on()
    return {
        name: {key: median([each[key] for each in measured]) for key in measured[0]}
        for name, measured in results.items()
    }


def figures(medians, key):
    return {name: result[key] for name, result in medians.items()}


def prepared(run, names, urls=lambda target: []):
    """Starts targets and pulls what is going to be a hit; those of them that there are."""
    chosen = [run.targets[name] for name in names if name in run.targets]
    for target in chosen:
        if target.process is None:
            target.start()
        for url in urls(target):
            load.download(url)
    return chosen


def blob_paths(target, blobs):
    """Paths of blobs, as wrk wants them."""
    folder = "/" + target.blob("").split("/", 3)[3]
    return [folder + blob for blob in blobs]


def warm(target, blobs, passes=3):
    """Asks for all blobs: what only the first sights of a blob cost is not a hit's."""
    load.wrk_all(target.blob(""), 8, blob_paths(target, blobs), passes)

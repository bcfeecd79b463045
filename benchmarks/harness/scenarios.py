"""What is measured, and the bound that each figure is held against.

A scenario is a function that takes the run and adds rows to its report. Targets take turns within
each round, so that what the machine does besides meets all of them; figures are medians.
"""

import hashlib
import os
import sqlite3
import statistics
import subprocess
import sys
import threading
import time

from . import load, machine

MIB = 1 << 20
GIB = 1 << 30
LIMIT = "nginx static"


def median(values):
    return statistics.median(values)


def hits(target, url, connections, seconds, paths=None):
    """One run of wrk against one target, with the CPU time the target used for it."""
    before = target.cpu()
    result = load.wrk(url, connections, seconds, paths)
    used = target.cpu() - before
    return {
        "cpu µs/request": used * 1e6 / max(result["requests"], 1),
        "cpu s/GB": used / max(result["bytes"] / 1e9, 1e-9),
        "requests/s": result["requests"] / result["seconds"],
        "GB/s": result["bytes"] / 1e9 / result["seconds"],
        "p50 ms": result["p50"] * 1e3,
        "p99 ms": result["p99"] * 1e3,
    }


def in_turns(run, names, measure):
    """`measure` of each target in every round; the medians of each figure by target."""
    rounds = {name: [] for name in names}
    for _ in range(run.rounds):
        for name in names:
            rounds[name].append(measure(run.targets[name]))
    return {
        name: {key: median([each[key] for each in results]) for key in results[0]}
        for name, results in rounds.items()
    }


def figures(medians, key):
    return {name: result[key] for name, result in medians.items()}


def prepared(run, names, urls):
    """Starts targets and pulls what is going to be a hit."""
    chosen = [name for name in names if name in run.targets]
    for name in chosen:
        target = run.targets[name]
        if target.process is None:
            target.start()
        for url in urls(target):
            load.download(url)
    return chosen


# ---- hits --------------------------------------------------------------------------------------


def manifest_hits(run):
    peers = [LIMIT, "nginx proxy_cache", "docker-registry", "cistern"]
    for reference, label in ((run.site.manifest, "digest"), ("latest", "tag")):
        for connections in (1, 32, 256):
            names = peers if connections == 32 else [LIMIT, "cistern"]
            names = prepared(run, names, lambda target: [target.manifest(reference)])
            medians = in_turns(
                run, names,
                lambda target: hits(
                    target, target.manifest(reference), connections, run.seconds))
            what = f"manifest hit by {label}, {connections} connections"
            run.report.ratio(what, "cpu µs/request", figures(medians, "cpu µs/request"), at_most=0.8)
            run.report.ratio(what, "requests/s", figures(medians, "requests/s"), at_least=1.1)


def small_blob_hits(run):
    blobs = [run.site.blob(1024 + run.site.random.randrange(63 * 1024)) for _ in range(1000)]
    names = prepared(run, [LIMIT, "cistern"], lambda target: map(target.blob, blobs[:1]))
    pull_all(run.targets["cistern"], blobs)
    measure_small(run, names, blobs, "blob hit 1 to 64 KiB, 1,000 blobs")


def many_small_blob_hits(run):
    """200,000 blobs: they are put into the store as a pull would leave them, which takes less time."""
    count = run.many
    cistern = run.targets["cistern"]
    cistern.restart(forgetting=True)
    load.download(cistern.manifest("latest"))
    load.download(cistern.blob(run.site.config))
    cistern.stop()
    blobs = []
    with Seeding(cistern.store) as seeding:
        for _ in range(count):
            size = 1024 + int(63 * 1024 * run.site.random.random() ** 4)
            content = run.site.random.randbytes(size)
            hash = hashlib.sha256(content)
            path = run.site.path("sha256:" + hash.hexdigest())
            with open(path, "wb") as file:
                file.write(content)
            seeding.add(hash.digest(), size, path)
            blobs.append("sha256:" + hash.hexdigest())
    cistern.start()
    prepared(run, [LIMIT], lambda target: [])
    pull_all(cistern, blobs)
    measure_small(run, [LIMIT, "cistern"], blobs, f"blob hit 1 to 64 KiB, {count:,} blobs")
    for blob in blobs:
        os.unlink(run.site.path(blob))
    cistern.restart(forgetting=True)


def measure_small(run, names, blobs, what):
    def measure(target):
        path = target.blob("").split("/", 3)[3]
        return hits(
            target, target.blob(""), 32, run.seconds, [f"/{path}{blob}" for blob in blobs])

    medians = in_turns(run, names, measure)
    run.report.ratio(what, "cpu µs/request", figures(medians, "cpu µs/request"), at_most=1.0)
    run.report.ratio(what, "requests/s", figures(medians, "requests/s"))


def pull_all(target, blobs):
    """Pulls all of them once, on one connection."""
    with open(os.path.join(target.work, "urls"), "w") as file:
        for blob in blobs:
            file.write(f'url = "{target.blob(blob)}"\noutput = "/dev/null"\n')
    subprocess.run(load.pinned(["curl", "-sf", "-K", file.name]), check=True)


def large_blob_hits(run):
    for size, label in ((64 * MIB, "64 MiB"), (GIB, "1 GiB")):
        blob = run.large[size]
        for connections in (1, 8, 64):
            names = [LIMIT, "cistern"]
            if connections == 8 and size < GIB:
                names += ["nginx proxy_cache", "docker-registry"]
            names = prepared(run, names, lambda target: [target.blob(blob)])
            medians = in_turns(
                run, names, lambda target: hits(target, target.blob(blob), connections, run.seconds))
            what = f"{label} hit, {connections} connections"
            run.report.ratio(what, "cpu s/GB", figures(medians, "cpu s/GB"), at_most=1.0)
            run.report.ratio(what, "GB/s", figures(medians, "GB/s"))


def tls_hits(run):
    """HTTPS by 1 GiB: by curl, since wrk is slower at decrypting than either server."""
    work = os.path.join(run.work, "tls")
    os.makedirs(work)
    certificate, key = os.path.join(work, "certificate.pem"), os.path.join(work, "key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
         key, "-out", certificate], check=True, capture_output=True)
    os.chmod(key, 0o600)
    blob = run.large[GIB]
    limit, cistern = run.targets[LIMIT], run.targets["cistern"]
    limit.stop(), cistern.stop()
    plain = limit.configuration
    limit.configuration = lambda: (
        f"server {{ listen 127.0.0.1:{limit.port} ssl backlog=4096; ssl_certificate {certificate};\n"
        f" ssl_certificate_key {key}; ssl_protocols TLSv1.2 TLSv1.3; {limit.files()} }}")
    cistern.tls = (certificate, key)
    limit.process = cistern.process = None
    try:
        for target in (limit, cistern):
            secure(target)
        urls = {LIMIT: limit.blob(blob).replace("http://", "https://"), "cistern": cistern.blob(blob)}
        load.download(urls["cistern"], extra=["-k"])

        def measure(target):
            before = target.cpu()
            seconds, _ = load.download(urls[target.name], extra=["-k"])
            return {"cpu s/GB": (target.cpu() - before) / (GIB / 1e9), "GB/s": GIB / 1e9 / seconds}

        medians = in_turns(run, [LIMIT, "cistern"], measure)
        run.report.ratio(
            "HTTPS 1 GiB hit", "cpu s/GB", figures(medians, "cpu s/GB"), at_most=1.0)
    finally:
        limit.stop(), cistern.stop()
        limit.configuration, cistern.tls = plain, None


def secure(target):
    """Starts a target whose port speaks TLS."""
    wait, target.wait = target.wait, lambda url: None
    target.start()
    target.wait = wait
    until = time.monotonic() + 20
    while subprocess.run(
            ["curl", "-sko", "/dev/null", f"https://127.0.0.1:{target.port}/v2/"]).returncode:
        if time.monotonic() > until:
            raise RuntimeError(f"{target.name} does not speak TLS")
        time.sleep(0.05)


# ---- misses ------------------------------------------------------------------------------------


def cold_pull(run):
    blob = run.large[GIB]
    names = [each for each in ("cistern", "nginx proxy_cache", "docker-registry")
             if each in run.targets]
    rounds = {name: [] for name in names + ["direct", "bare loop"]}
    gigabytes = GIB / 1e9
    for _ in range(run.rounds):
        seconds, digest = load.download_hashed(run.upstream.blob(blob))
        assert digest == blob
        rounds["direct"].append({"wall s": seconds})
        text = subprocess.run(
            ["taskset", "-c", "0", sys.executable, os.path.join(os.path.dirname(__file__), "bare.py"),
             run.upstream.blob(blob), os.path.join(run.work, "bare")],
            capture_output=True, text=True, check=True).stdout.split()
        assert text[1] == blob
        rounds["bare loop"].append({"cpu s/GB": float(text[0]) / gigabytes})
        os.unlink(os.path.join(run.work, "bare"))
        for name in names:
            target = run.targets[name]
            target.restart(forgetting=True)
            before, written = target.cpu(), machine.written_bytes(target.pids)
            seconds, digest = load.download_hashed(target.blob(blob))
            assert digest == blob
            rounds[name].append({
                "wall s": seconds,
                "cpu s/GB": (target.cpu() - before) / gigabytes,
                "written": (machine.written_bytes(target.pids) - written) / GIB,
            })

    def of(key):
        return {
            name: median([each[key] for each in results])
            for name, results in rounds.items() if key in results[0]
        }

    run.report.ratio("cold pull of 1 GiB", "wall s", of("wall s"), against="direct", at_most=1.15)
    run.report.ratio("cold pull of 1 GiB", "cpu s/GB", of("cpu s/GB"), against="bare loop", at_most=1.3)
    run.report.figure(
        "cold pull of 1 GiB", "disk bytes written, × size", of("written"), at_most=1.01)


def first_byte(run):
    blobs = [run.site.blob(4 * MIB) for _ in range(20)]
    cistern = run.targets["cistern"]
    prepared(run, ["cistern"], lambda target: [target.manifest("latest")])
    direct, ours = [], []
    for blob in blobs:
        direct.append(load.download(run.upstream.blob(blob))[1] * 1e3)
        ours.append(load.download(cistern.blob(blob))[1] * 1e3)
    run.report.figure(
        "first byte of a cold blob", "ms behind the upstream's",
        {"cistern": median(ours) - median(direct)}, at_most=2.0)


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


# ---- what others notice --------------------------------------------------------------------------


def beside_a_fetch(run):
    cistern = run.targets["cistern"]
    cistern.restart()
    load.download(cistern.manifest("latest"))
    idle, busy, cold = [], [], []
    large = run.large[GIB]
    load.download(cistern.blob(large))
    for _ in range(run.rounds):
        idle.append(small_p99(run, cistern))
        blob = run.site.sparse_blob(4 * GIB + run.site.random.randrange(MIB))
        busy.append(small_p99(run, cistern, cistern.blob(blob)))
        os.unlink(run.site.path(blob))
        machine.drop_page_cache(store_path(cistern, large))
        cold.append(small_p99(run, cistern, cistern.blob(large)))
    base = median(idle)
    run.report.figure(
        "small hits while 4 GiB are fetched", "p99, × idle", {"cistern": median(busy) / base},
        at_most=2.0)
    run.report.figure(
        "small hits while 1 GiB is read from disk", "p99, × idle",
        {"cistern": median(cold) / base}, at_most=2.0)


def small_p99(run, target, beside=None):
    """The p99 of manifest hits while `beside` is downloaded."""
    downloading = None
    if beside:
        downloading = subprocess.Popen(
            load.pinned(["curl", "-sf", "-o", "/dev/null", beside]))
    result = load.wrk(target.manifest("latest"), 4, run.seconds)
    if downloading:
        downloading.kill()
        downloading.wait()
    return result["p99"]


def store_path(cistern, digest):
    hex = digest.split(":")[1]
    return os.path.join(cistern.store, "blobs", "sha256", hex[:2], hex)


def idle_connections(run):
    grown = {}
    for name in prepared(
            run, ["cistern", LIMIT, "docker-registry"], lambda target: [target.manifest("latest")]):
        target = run.targets[name]
        target.restart()
        load.download(target.manifest("latest"))
        sockets = load.Sockets(target.manifest("latest"))
        # What the first thousand need once for all does not count.
        sockets.idle(1000)
        before = target.resident()
        sockets.idle(9000)
        grown[name] = (target.resident() - before) / 9000 / 1024
        sockets.close()
    run.report.figure("10,000 idle connections", "KiB resident each", grown, at_most=4.0)


def slow_readers(run):
    grown, slower = {}, {}
    blob = run.large[64 * MIB]
    for name in prepared(
            run, ["cistern", LIMIT, "docker-registry"], lambda target: [target.blob(blob)]):
        target = run.targets[name]
        target.restart()
        load.download(target.blob(blob))
        load.download(target.manifest("latest"))
        idle = median([load.wrk(target.manifest("latest"), 4, run.seconds)["p99"]
                       for _ in range(run.rounds)])
        before = target.resident()
        sockets = load.Sockets(target.blob(blob))
        sockets.slow(1000)
        grown[name] = (target.resident() - before) / MIB
        beside = median([load.wrk(target.manifest("latest"), 4, run.seconds)["p99"]
                         for _ in range(run.rounds)])
        slower[name] = beside / idle
        sockets.close()
    what = "1,000 slow readers of one blob"
    run.report.figure(what, "MiB resident grown", grown, at_most=16)
    run.report.figure(what, "p99 of others, × before", slower, at_most=2.0)


# ---- the index -----------------------------------------------------------------------------------


class Seeding:
    """Adds blobs to a store that is not in use, as if they had been pulled under the bench image."""

    def __init__(self, store):
        self.store = store
        self.index = sqlite3.connect(os.path.join(store, "index.db"))
        self.repository = self.index.execute("SELECT id FROM repository").fetchone()[0]
        self.now = int(time.time())
        for shard in range(256):
            os.makedirs(os.path.join(store, "blobs", "sha256", f"{shard:02x}"), mode=0o700, exist_ok=True)

    def __enter__(self):
        self.index.execute("BEGIN")
        return self

    def __exit__(self, *_):
        self.index.commit()
        self.index.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.index.close()

    def add(self, hash, size, file):
        """A blob whose file is linked to `file`."""
        hex = hash.hex()
        os.link(file, os.path.join(self.store, "blobs", "sha256", hex[:2], hex))
        disk = (size + 4095) // 4096 * 4096
        self.index.execute(
            "INSERT INTO blob(digest, size, disk, last_used, root, verified_at) VALUES(?,?,?,?,1,?)",
            (hash, size, disk, (self.now - 86400) * 1_000_000 + self.count(), self.now))
        self.index.execute("INSERT INTO link(digest, repository) VALUES(?,?)", (hash, self.repository))

    def count(self):
        self.added = getattr(self, "added", 0) + 1
        return self.added


def large_index(run):
    cistern = run.targets["cistern"]
    cistern.restart(forgetting=True)
    blobs = [run.site.blob(4096) for _ in range(1000)]
    load.download(cistern.manifest("latest"))
    pull_all(cistern, blobs)
    path = cistern.blob("").split("/", 3)[3]
    paths = [f"/{path}{blob}" for blob in blobs]
    few = [hits(cistern, cistern.blob(""), 32, run.seconds, paths) for _ in range(run.rounds)]
    cistern.stop()
    count = run.index_size
    with Seeding(cistern.store) as seeding:
        files = []
        for number in range(count):
            # A file has at most 65,000 names.
            if number % 50_000 == 0:
                files.append(os.path.join(run.work, f"filler-{number}"))
                with open(files[-1], "wb") as file:
                    file.write(b"x" * 4096)
            seeding.add(hashlib.sha256(b"%d" % number).digest(), 4096, files[-1])
    begin = time.monotonic()
    cistern.start()
    load.download(cistern.blob(blobs[0]))
    started = time.monotonic() - begin
    pull_all(cistern, blobs)
    many = [hits(cistern, cistern.blob(""), 32, run.seconds, paths) for _ in range(run.rounds)]
    resident = cistern.resident() / MIB
    what = f"index of {count:,} blobs"
    run.report.figure(what, "s from start to first hit", {"cistern": started}, at_most=1.0)
    run.report.figure(what, "MiB resident", {"cistern": resident}, at_most=48)
    key = "cpu µs/request"
    ratio = median([each[key] for each in many]) / median([each[key] for each in few])
    run.report.figure(what, "cpu/request, × 1,000 blobs", {"cistern": ratio}, at_most=1.2)
    evict(run, cistern, what, paths)
    for file in files:
        os.unlink(file)
    cistern.restart(forgetting=True)


def evict(run, cistern, what, paths):
    """Has 10,000 blobs evicted by pulling one that needs their room, while hits go on."""
    rows = sqlite3.connect(f"file:{cistern.store}/index.db?mode=ro", uri=True)
    used = rows.execute("SELECT sum(disk) FROM blob").fetchone()[0]
    before = rows.execute("SELECT count(*) FROM blob").fetchone()[0]
    quiet = load.wrk(cistern.blob(""), 4, run.seconds, paths)["p99"]
    cistern.stop()
    room = 10_000 * 4096
    cistern.max_size = str(used + (512 << 20)) + "B"
    big = run.site.blob(room)
    # What is left of the limit is filled first, so that the next blob needs all its room.
    cistern.start()
    pull_all(cistern, [path.rsplit("/", 1)[1] for path in paths])
    filler = run.site.blob(256 * MIB)
    load.download(cistern.blob(filler))
    more = run.site.blob(256 * MIB)
    results = []
    loading = threading.Thread(
        target=lambda: results.append(load.wrk(cistern.blob(""), 4, run.seconds + 2, paths)["p99"]))
    loading.start()
    begin = time.monotonic()
    load.download(cistern.blob(more))
    load.download(cistern.blob(big))
    seconds = time.monotonic() - begin
    loading.join()
    gone = before - rows.execute("SELECT count(*) FROM blob").fetchone()[0]
    rows.close()
    cistern.max_size = "40GiB"
    run.report.figure(
        what, "s to evict 10,000 while 300 MiB are pulled",
        {"cistern": seconds * 10_000 / max(gone, 1)}, at_most=2.0)
    run.report.figure(what, "p99 of hits meanwhile, × before", {"cistern": results[0] / quiet}, at_most=2.0)


def scaling(run):
    """Two loops on two cores: wrk needs one of them, so what counts is the CPU of each request."""
    cistern = run.targets["cistern"]
    figures_of = {}
    for loops in (1, 2):
        cistern.stop()
        cistern.loops = loops
        cistern.start(cores="0,1")
        load.download(cistern.manifest("latest"))
        runs = [hits(cistern, cistern.manifest("latest"), 64, run.seconds) for _ in range(run.rounds)]
        figures_of[loops] = median([each["cpu µs/request"] for each in runs])
    cistern.stop()
    cistern.loops = 1
    run.report.figure(
        "two serve loops on two cores", "requests per CPU second, × twice one loop",
        {"cistern": 2 * figures_of[1] / figures_of[2]}, at_least=1.7)


ALL = [
    manifest_hits, small_blob_hits, large_blob_hits, cold_pull, first_byte, many_on_one,
    beside_a_fetch, idle_connections, slow_readers, many_small_blob_hits, large_index, tls_hits,
    scaling,
]

"""Hits: what is there already is sent."""

import contextlib
import os
import subprocess
import time

from .. import load
from .measuring import (
    GIB, LIMIT, MIB, blob_paths, figures, hits, in_turns, median, prepared, streams, warm)


def manifest_hits(run):
    peers = [LIMIT, "nginx proxy_cache", "docker-registry", "cistern"]
    for reference, label in ((run.site.manifest, "digest"), ("latest", "tag")):
        for connections in (1, 32, 256):
            names = peers if connections == 32 else [LIMIT, "cistern"]
            chosen = prepared(run, names, lambda target: [target.manifest(reference)])
            medians = in_turns(
                run, chosen,
                lambda target: hits(target, target.manifest(reference), connections, run.seconds))
            what = f"manifest hit by {label}, {connections} connections"
            cpu, rate = figures(medians, "cpu µs/request"), figures(medians, "requests/s")
            run.report.ratio(what, "cpu µs/request", cpu, at_most=0.8)
            run.report.ratio(what, "requests/s", rate, at_least=1.1)


def group_hits(run):
    """Through a group with a hosted repository, as most have it who come from Nexus."""
    blob = run.site.blob(4096)
    chosen = prepared(
        run, [LIMIT, "cistern"], lambda target: [target.manifest("latest"), target.blob(blob)])
    things = (
        ("manifest hit by tag", lambda target: target.manifest("latest"), 0.8),
        ("blob hit of 4 KiB", lambda target: target.blob(blob), 1.0))
    for what, url, most in things:
        def measure(target):
            asked = url(target) if target.name == LIMIT else target.in_group(url(target))
            return hits(target, asked, 32, run.seconds)

        medians = in_turns(run, chosen, measure)
        run.report.ratio(
            what + " through a group, 32 connections", "cpu µs/request",
            figures(medians, "cpu µs/request"), at_most=most)


def small_blob_hits(run):
    blobs = [run.site.blob(run.site.small_size()) for _ in range(1000)]
    measure_small(run, prepared(run, [LIMIT, "cistern"]), blobs)


def measure_small(run, chosen, blobs, passes=3):
    for target in chosen:
        warm(target, blobs, passes)
    medians = in_turns(
        run, chosen,
        lambda target: hits(
            target, target.blob(""), 32, run.seconds, blob_paths(target, blobs)))
    what = f"blob hit 1 to 64 KiB, {len(blobs):,} blobs"
    run.report.ratio(what, "cpu µs/request", figures(medians, "cpu µs/request"), at_most=1.0)
    run.report.ratio(what, "requests/s", figures(medians, "requests/s"))


def large_blob_hits(run):
    for size, label in ((64 * MIB, "64 MiB"), (GIB, "1 GiB")):
        blob = run.large[size]
        names = ["nginx proxy_cache", "docker-registry"] if size < GIB else []
        for target in prepared(run, [LIMIT, *names, "cistern"]):
            load.check(target.blob(blob), blob)
        # What has just been fetched is written now, and not while it is measured.
        os.sync()
        with one_file(run, blob):
            measure_large(run, blob, label, names)


def measure_large(run, blob, label, names):
    """In more turns that are shorter: the bound is where nginx is, and so is the truth."""
    for connections in (1, 8, 64):
        peers = names if connections == 8 else []
        medians = in_turns(
            run, prepared(run, [LIMIT, *peers, "cistern"]),
            lambda target: streams(target, target.blob(blob), connections, run.seconds / 2),
            2 * run.rounds + 1)
        what = f"{label} hit, {connections} connections"
        run.report.ratio(what, "cpu s/GB", figures(medians, "cpu s/GB"), at_most=1.0)
        run.report.ratio(what, "GB/s", figures(medians, "GB/s"))


@contextlib.contextmanager
def one_file(run, blob):
    """Has nginx send the very file that Cistern has stored, by a symbolic link.

    How a file came to lie in memory, in larger or smaller pieces, makes a difference of a tenth in
    what sending it costs; of two files with the same bytes either may be the lucky one.
    """
    path = run.site.path(blob)
    os.rename(path, path + ".own")
    try:
        os.symlink(run.targets["cistern"].stored(blob), path)
        load.check(run.targets[LIMIT].blob(blob), blob)
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        os.rename(path + ".own", path)


def tls_hits(run):
    """HTTPS, one connection: by curl, with one cipher for both, the one that Go's clients take."""
    certificate, key = certified(os.path.join(run.work, "tls"))
    blob = run.large[GIB]
    limit, cistern = run.targets[LIMIT], run.targets["cistern"]
    plain = limit.configuration
    limit.configuration = lambda: (
        f"server {{ listen 127.0.0.1:{limit.port} ssl backlog=4096;\n"
        f" ssl_certificate {certificate}; ssl_certificate_key {key};\n"
        f" ssl_protocols TLSv1.2 TLSv1.3; {limit.files()} }}")
    cistern.tls = (certificate, key)
    try:
        for target in (limit, cistern):
            target.stop()
            secure(target)
        urls = {LIMIT: limit.blob(blob).replace("http:", "https:"), "cistern": cistern.blob(blob)}
        extra = ["-k", "--tls13-ciphers", "TLS_AES_128_GCM_SHA256"]
        for url in urls.values():
            load.check(url, blob, extra)

        def measure(target):
            before = target.cpu()
            seconds, _ = load.download(urls[target.name], extra=extra)
            used = target.cpu() - before
            return {"cpu s/GB": used / (GIB / 1e9), "GB/s": GIB / 1e9 / seconds}

        medians = in_turns(run, [limit, cistern], measure)
        what = "HTTPS 1 GiB hit, AES-128-GCM"
        run.report.ratio(what, "cpu s/GB", figures(medians, "cpu s/GB"), at_most=1.0)
        run.report.ratio(what, "GB/s", figures(medians, "GB/s"))
    finally:
        limit.stop(), cistern.stop()
        limit.configuration, cistern.tls = plain, None


def certified(folder):
    """A certificate for 127.0.0.1 and its key."""
    os.makedirs(folder, exist_ok=True)
    certificate, key = os.path.join(folder, "certificate.pem"), os.path.join(folder, "key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
         "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True)
    os.chmod(key, 0o600)
    return certificate, key


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


def scaling(run):
    """Two loops: wrk needs most of one of the two cores, so what counts is CPU time, not requests.

    With a core for each loop and others for the clients there would be as many requests as both
    have CPU time for. The busiest loop alone says less here: the one beside wrk gets little of its
    core, and the clients of the other, answered sooner, ask more.
    """
    one, two = run.targets["cistern"], run.another("cistern", "two loops")
    two.loops = 2
    for target in (one, two):
        target.start(cores="0,1")
        load.wrk(target.manifest("latest"), 256, 1)
    medians = in_turns(
        run, [one, two], lambda target: per_cpu_second(target, run.seconds), 2 * run.rounds - 1)
    for target in (one, two):
        target.stop()
        target.forget()
    rates = figures(medians, "requests/CPU s")
    run.report.figure(
        "two serve loops on two cores, 256 connections",
        "twice the requests per CPU s, × one loop",
        {"cistern": 2 * rates[two.name] / rates[one.name]}, at_least=1.7)


def per_cpu_second(target, seconds):
    """Requests for each CPU second of all threads."""
    before = target.cpu()
    requests = load.wrk(target.manifest("latest"), 256, seconds)["requests"]
    return {"requests/CPU s": requests / (target.cpu() - before)}

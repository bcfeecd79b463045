"""Puts blobs into a store that is not in use, as if they had been pulled."""

import os
import random
import sqlite3
import time

BLOCK = 4096
PULLED_PER_SECOND = 10


class Seeding:
    """Links files into the store and adds their rows to its index, all in one transaction.

    They belong to the one image that is there already, and were pulled a day ago and before, one
    after the other in an order that has nothing to do with their digests.
    """

    def __init__(self, store):
        self.store = store
        self.blobs = []

    def __enter__(self):
        self.shards = []
        for shard in range(256):
            path = os.path.join(self.store, "blobs", "sha256", f"{shard:02x}")
            os.makedirs(path, mode=0o700, exist_ok=True)
            self.shards.append(os.open(path, os.O_RDONLY | os.O_DIRECTORY))
        return self

    def add(self, hash, size, file):
        """A blob whose file is one more name of `file`."""
        os.link(file, hash.hex(), dst_dir_fd=self.shards[hash[0]])
        self.blobs.append((hash, size))

    def __exit__(self, kind, *_):
        for shard in self.shards:
            os.close(shard)
        if kind is None:
            self.record()

    def record(self):
        index = sqlite3.connect(os.path.join(self.store, "index.db"))
        index.execute("PRAGMA synchronous = OFF")
        index.execute("PRAGMA cache_size = -200000")
        image = index.execute("SELECT id FROM repository").fetchone()[0]
        pulled = int(time.time()) - 86_400 - len(self.blobs) // PULLED_PER_SECOND
        # Rows that come in the order of their keys are added in seconds.
        self.blobs.sort()
        order = list(range(len(self.blobs)))
        random.Random(1).shuffle(order)
        with index:
            index.executemany(
                "INSERT INTO blob(digest, size, disk, last_used, root, verified_at)"
                " VALUES(?, ?, ?, ?, 1, ?)",
                ((hash, size, -(-size // BLOCK) * BLOCK,
                  pulled * 1_000_000 + number * 1_000_000 // PULLED_PER_SECOND,
                  pulled + number // PULLED_PER_SECOND)
                 for number, (hash, size) in zip(order, self.blobs)))
            index.executemany(
                "INSERT INTO link(digest, repository) VALUES(?, ?)",
                ((hash, image) for hash, _ in self.blobs))
        index.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        index.close()

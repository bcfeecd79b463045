"""The images that are served: plain files, laid out as the URLs of a registry."""

import hashlib
import json
import os
import random

IMAGE = "bench/image"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
IMAGE_TYPE = "application/vnd.oci.image."


def _digest_of(path):
    hash = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            hash.update(piece)
    return "sha256:" + hash.hexdigest()


class Site:
    """Content that cannot be compressed, made once per run from a seed."""

    def __init__(self, work, seed=1):
        self.root = os.path.join(work, "site")
        self.home = os.path.join(self.root, "v2", IMAGE)
        self.random = random.Random(seed)
        #: Of each size of sparse blobs, the hash and the length of the last one.
        self.zeros = {}
        for folder in ("blobs", "manifests"):
            os.makedirs(os.path.join(self.home, folder), exist_ok=True)
        self.config = self.blob(1024)
        self.manifest = self._manifest([self.config], "latest")

    def path(self, digest):
        return os.path.join(self.home, "blobs", digest)

    def small_size(self):
        """A size of 1 to 64 KiB, most of them small."""
        return 1024 + int(63 * 1024 * self.random.random() ** 4)

    def blob(self, size):
        """A blob of `size` bytes; its digest."""
        temporary = os.path.join(self.home, "new")
        with open(temporary, "wb") as file:
            left = size
            while left:
                piece = self.random.randbytes(min(left, 1 << 20))
                file.write(piece)
                left -= len(piece)
        return self._keep(temporary)

    def sparse_blob(self, size):
        """A blob of zeros that takes no disk, larger by one than the last of this size."""
        hash, length = self.zeros.get(size, (None, size))
        if hash is None:
            hash = hashlib.sha256()
            for _ in range(size >> 20):
                hash.update(bytes(1 << 20))
        else:
            hash, length = hash.copy(), length + 1
            hash.update(b"\0")
        self.zeros[size] = hash, length
        digest = "sha256:" + hash.hexdigest()
        with open(self.path(digest), "wb") as file:
            file.truncate(length)
        return digest

    def read(self, digest):
        """Brings a blob into memory."""
        with open(self.path(digest), "rb", buffering=0) as file:
            buffer = bytearray(1 << 20)
            while file.readinto(buffer):
                pass

    def _keep(self, temporary):
        digest = _digest_of(temporary)
        os.rename(temporary, self.path(digest))
        return digest

    def _manifest(self, layers, tag):
        def descriptor(digest, kind):
            size = os.path.getsize(self.path(digest))
            return {"mediaType": kind, "digest": digest, "size": size}

        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(self.config, IMAGE_TYPE + "config.v1+json"),
            "layers": [descriptor(each, IMAGE_TYPE + "layer.v1.tar") for each in layers],
        }
        bytes = json.dumps(document).encode()
        digest = "sha256:" + hashlib.sha256(bytes).hexdigest()
        for name in (digest, tag):
            with open(os.path.join(self.home, "manifests", name), "wb") as file:
                file.write(bytes)
        return digest

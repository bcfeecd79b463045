import Index
import OCI
import Reactor

/// An index with as many blobs as a busy store has, some of them tagged manifests.
enum FilledIndex {
    /// Tagged manifests among the blobs, the first ones.
    static let images = 1_000
    static let repository = "docker.io"

    /// Opens the index of the folder, after what is missing was filled in.
    static func open(_ scratch: Scratch) async throws -> ContentIndex {
        let index = try reopen(scratch)
        let totals = index.totals
        if totals.blobs >= scratch.rows, totals.manifests >= images(scratch) { return index }
        for number in min(totals.blobs, scratch.rows)..<scratch.rows {
            _ = try await index.record(
                blob: try Samples.digest(number), size: 4_000, disk: 4_096, stamp: Int64(number))
        }
        for number in min(totals.manifests, images(scratch))..<images(scratch) {
            try await tag(number, in: index)
        }
        // As each later run finds it: with nothing in the write-ahead log.
        await index.close()
        return try reopen(scratch)
    }

    private static func reopen(_ scratch: Scratch) throws -> ContentIndex {
        try ContentIndex.open(
            directory: try scratch.folder("index-\(scratch.rows)"),
            thread: try WorkerPool(threads: 1, name: "index"), clock: .system)
    }

    /// The numbers of the tagged manifests.
    static func images(_ scratch: Scratch) -> Int { min(images, scratch.rows) }

    private static func tag(_ number: Int, in index: ContentIndex) async throws {
        let digest = try Samples.digest(number)
        let name = try Samples.name()
        let manifest = ManifestRecord(
            digest: digest, mediaType: "application/vnd.oci.image.manifest.v1+json", size: 4_000,
            children: [])
        _ = try await index.record(manifest: manifest, repository: repository, name: name)
        _ = try await index.bind(
            repository: repository, name: name, try Samples.tag(number), to: digest, checkedAt: 1)
    }
}

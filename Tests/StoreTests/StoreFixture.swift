import Index
import OCI
import Reactor
import Synchronization
import TestSupport
import Testing

@testable import Store

/// The simulation's generator; TestSupport has another of that name.
typealias Dice = Reactor.SeededGenerator

/// Bytes with their digest.
struct Content: Sendable {
    let bytes: [UInt8]
    let digest: Digest

    init(_ bytes: [UInt8], _ algorithm: Digest.Algorithm = .sha256) {
        self.bytes = bytes
        digest = StreamingHash.digest(of: bytes, algorithm)
    }

    /// `size` bytes that follow from `seed`.
    init(size: Int, seed: UInt64, _ algorithm: Digest.Algorithm = .sha256) {
        var generator = Dice(seed: seed)
        let words = (0..<(size / 8 + 1)).map { _ in generator.next() }
        self.init(words.withUnsafeBytes { Array($0.prefix(size)) }, algorithm)
    }
}

/// A store in a directory of its own, with short words for what tests do to it.
struct StoreFixture {
    let directory: TemporaryDirectory
    let clock: ManualClock
    let store: BlobStore
    let events: EventLog

    init(
        _ directory: TemporaryDirectory? = nil, maxSize: Int64 = 64 << 20,
        openFilesMax: Int = 1024, clock: ManualClock = ManualClock(), root: String? = nil,
        minFree: Int64 = 0
    ) throws {
        let directory = try directory ?? TemporaryDirectory()
        let events = EventLog()
        self.directory = directory
        self.clock = clock
        self.events = events
        store = try BlobStore.open(
            root: root ?? directory.file("store"),
            limits: StoreLimits(
                maxSize: .bytes(maxSize), minFree: .bytes(minFree), openFilesMax: openFilesMax),
            workers: try WorkerPool(threads: 2, name: "worker"),
            indexThread: try WorkerPool(threads: 1, name: "index"), clock: .manual(clock),
            report: { events.add($0) })
    }

    /// A store again after another, whose last jobs may still be going home with its lock.
    static func reopened(
        _ directory: TemporaryDirectory, maxSize: Int64 = 64 << 20,
        clock: ManualClock = ManualClock()
    ) async throws -> StoreFixture {
        while true {
            do {
                return try StoreFixture(directory, maxSize: maxSize, clock: clock)
            } catch StoreError.locked {
                await Task.yield()
            }
        }
    }

    var root: String { store.layout.path }

    /// What `du -s` says of the store.
    var disk: Int64 { Files.diskUsage(root) }

    /// Files below `blobs/`, growing ones among them.
    var files: [String] {
        Files.walk("\(root)/blobs").filter { !$0.isDirectory }.map(\.path)
    }

    /// Growing files.
    var growing: [String] { files.filter { $0.split(separator: "/").last?.contains(".") ?? false } }

    /// Writes `content` in pieces of `piece` bytes.
    func store(_ content: Content, announced: Bool = true, piece: Int = 64 << 10) async throws {
        let writer = try await store.writer(
            for: content.digest, size: announced ? Int64(content.bytes.count) : nil)
        do {
            try await Self.append(content.bytes, to: writer, piece: piece)
            #expect(try await writer.finish() == Int64(content.bytes.count))
        } catch {
            await writer.abandon()
            throw error
        }
    }

    static func append(_ bytes: [UInt8], to writer: BlobWriter, piece: Int = 64 << 10) async throws
    {
        var offset = 0
        while offset < bytes.count {
            let end = min(offset + piece, bytes.count)
            try await writer.append(Chunk(Array(bytes[offset..<end])))
            offset = end
        }
    }

    /// Stores a manifest of `seed` that names `layers`, and returns it.
    func image(_ seed: UInt64, _ layers: [Content]) async throws -> Content {
        let manifest = Content(size: 700, seed: seed)
        try await store.put(manifest.bytes, as: manifest.digest)
        let record = ManifestRecord(
            digest: manifest.digest, mediaType: "m", size: 700,
            children: layers.map {
                ChildRow(digest: $0.digest, size: Int64($0.bytes.count), mediaType: "l")
            })
        let isRecorded = try await store.index.record(
            manifest: record, repository: "hub", name: Self.name)
        #expect(isRecorded)
        return manifest
    }

    static var name: RepositoryName {
        guard let name = RepositoryName(parsing: "library/app") else {
            preconditionFailure("a valid name")
        }
        return name
    }

    func isStored(_ content: Content) throws -> Bool {
        try store.index.blob(content.digest) != nil
    }

    /// The stored bytes of `content`, read through the store.
    func read(_ content: Content) async -> [UInt8]? {
        guard let file = await store.open(content.digest) else { return nil }
        return Self.read(file)
    }

    static func read(_ file: GrowingFile) -> [UInt8]? {
        try? Files.read("/proc/self/fd/\(file.fd)")
    }

    /// Ends this store as kill -9 would: nothing is flushed, only the lock is let go.
    static func path(_ content: Content) -> String { StoreLayout.path(content.digest) }
}

/// What a store reported.
final class EventLog: Sendable {
    private let events = Mutex<[StoreEvent]>([])

    func add(_ event: StoreEvent) { events.withLock { $0.append(event) } }

    func count(where matches: (StoreEvent) -> Bool) -> Int {
        events.withLock { $0.filter(matches).count }
    }

    var lost: Int { count { if case .damaged = $0 { true } else { false } } }
    var mismatches: Int { count { if case .mismatch = $0 { true } else { false } } }
    var adopted: Int { count { if case .adopted = $0 { true } else { false } } }
    var strays: Int { count { if case .removedStray = $0 { true } else { false } } }
    var swept: Int { count { if case .sweptPartial = $0 { true } else { false } } }
}

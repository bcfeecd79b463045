import Glibc
import Index
import Linux
import OCI
import Reactor
import Synchronization
import TestSupport

@testable import Store

/// A store on a simulated loop: everything happens on the calling thread, in an order that follows
/// from a seed.
struct StoreRun {
    static let maxSize: Int64 = 2 << 20

    let loop: EventLoop
    let store: BlobStore
    let events: StoreEvents

    /// Opens the store below `top`.
    init(_ top: String, seed: UInt64, maxSize: Int64 = maxSize) throws(StoreError) {
        // As late as the files are: leftovers of yesterday are not gone on with.
        let clock = ManualClock(wallSeconds: Int64(time(nil)))
        let loop = EventLoop(simulating: seed, clock: clock)
        let events = StoreEvents()
        self.loop = loop
        self.events = events
        store = try BlobStore.open(
            root: Self.root(top), limits: StoreLimits(maxSize: .bytes(maxSize), minFree: .bytes(0)),
            workers: WorkerPool(simulatedOn: loop), indexThread: WorkerPool(simulatedOn: loop),
            clock: .manual(clock), report: { events.add($0) })
    }

    static func root(_ top: String) -> String { "\(top)/store" }

    /// Runs `body` to its end, and everything else that can go on meanwhile.
    func run(_ body: @escaping @Sendable (BlobStore) async -> Void) {
        let store = self.store
        loop.spawn { await body(store) }
        loop.runUntilIdle()
    }

    /// Starts `body` and lets everything go on for a few turns.
    func start(turns: Int, _ body: @escaping @Sendable (BlobStore) async -> Void) {
        let store = self.store
        loop.spawn { await body(store) }
        loop.runUntilIdle(turnsMax: turns)
    }

    /// The bytes that a client would get for `digest`; nil if it is not stored.
    func read(_ digest: Digest) -> [UInt8]? {
        let found = Mutex<[UInt8]?>(nil)
        run { store in
            guard let file = await store.open(digest) else { return }
            var bytes = [UInt8](repeating: 0, count: Int(file.progress.written))
            let count = bytes.withUnsafeMutableBytes { try? System.pread(file.fd, $0, at: 0) }
            if count == bytes.count { found.withLock { $0 = bytes } }
        }
        return found.withLock { $0 }
    }
}

/// What a store reported.
final class StoreEvents: Sendable {
    private let events = Mutex<[StoreEvent]>([])

    func add(_ event: StoreEvent) { events.withLock { $0.append(event) } }

    var all: [StoreEvent] { events.withLock { $0 } }

    /// Objects whose row was there without their whole file.
    var lost: [Digest] {
        all.compactMap { if case .damaged(let digest, _) = $0 { digest } else { nil } }
    }

    /// Errors of system calls.
    var failures: [Errno] {
        all.compactMap { if case .failed(let error) = $0 { error } else { nil } }
    }

    /// What was evicted, in all.
    var evicted: (objects: Int, bytes: Int64) {
        all.reduce(into: (0, 0)) { sum, event in
            guard case .evicted(let objects, let bytes, _) = event else { return }
            sum.objects += objects
            sum.bytes += bytes
        }
    }

    var hasSetIndexAside: Bool {
        all.contains { if case .indexSetAside = $0 { true } else { false } }
    }
}

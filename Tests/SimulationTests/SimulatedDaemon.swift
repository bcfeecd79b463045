import Glibc
import Index
import Linux
import OCI
import Reactor
import Registry
import Store
import Synchronization
import Telemetry
import TestSupport
import Upstream

/// Registry, Store and Index of the real daemon on a simulated loop, with a fake upstream.
final class SimulatedDaemon {
    static let maxSize: Int64 = 24 << 20

    let clock: ManualClock
    let loop: EventLoop
    let upstream: FakeUpstream
    let repository: Repository
    let store: BlobStore
    let content: Content

    init(
        root: String, images: SimulatedImages, seed: UInt64, clock: ManualClock
    ) throws {
        self.clock = clock
        loop = EventLoop(simulating: seed, clock: clock)
        let workers = WorkerPool(simulatedOn: loop)
        let limits = StoreLimits(maxSize: .bytes(Self.maxSize), minFree: .bytes(0))
        store = try BlobStore.open(
            root: root, limits: limits, workers: workers,
            indexThread: WorkerPool(simulatedOn: loop), clock: .manual(clock))
        upstream = FakeUpstream(images, loop: loop, seed: seed &+ 1)
        let silent = open("/dev/null", O_WRONLY | O_CLOEXEC)
        content = Content(
            store: store, workers: workers, loop: loop,
            logger: Logger(format: .logfmt, level: .error, descriptor: silent))
        repository = .proxy(
            ProxyRepository(
                Scope("sim", upstream: "https://sim.example"), registry: "sim.example",
                policy: ProxyPolicy(),
                upstream: BudgetedUpstream(upstream, loop: loop), content: content))
        loop.spawn { [store] in await store.reconcile() }
        loop.runUntilIdle()
    }

    /// Closes the store as a shutdown does.
    func close() {
        loop.spawn { [store] in await store.close() }
        loop.advance(by: .seconds(1))
    }
}

/// What a client saw of one pull.
struct Sight: Sendable, Equatable, CustomStringConvertible {
    enum End: Sendable, Equatable {
        /// All bytes that were promised came.
        case completed(isRight: Bool)
        case cut
        case left
        case refused(String)
    }

    let client: Int
    let what: String
    let end: End

    var description: String { "\(client) \(what) \(end)" }
}

/// A client of the simulation: reads as the server sends, and knows what it should get.
struct SimulatedClient: Sendable {
    let id: Int
    let daemon: Parts
    let log: SightLog

    /// What a client uses of the daemon.
    struct Parts: Sendable {
        let repository: Repository
        let loop: EventLoop
        let content: Content
    }

    func pull(_ image: SimulatedImages.Image, by digest: Bool) async {
        let reference: Reference = digest ? .digest(image.manifest) : .tag(image.tag)
        do throws(RegistryError) {
            let answer = try await daemon.repository.manifest(image.name, reference)
            let found = StreamingHash.digest(of: answer.manifest.bytes, .sha256)
            log.add(
                Sight(
                    client: id, what: "manifest", end: .completed(isRight: found == image.manifest))
            )
        } catch {
            log.add(Sight(client: id, what: "manifest", end: .refused(error.reason)))
            return
        }
        for blob in image.blobs { await read(image.name, blob, leavingAfter: nil, from: 0) }
    }

    /// Reads a blob, perhaps from an offset, perhaps leaving early.
    func read(
        _ name: RepositoryName, _ digest: Digest, leavingAfter patience: Int64?, from start: Int64
    ) async {
        let what = "blob \(digest.hex.prefix(6)) from \(start)"
        if start > 0, daemon.content.hadMismatch(digest) {
            log.add(Sight(client: id, what: what, end: .refused("range")))
            return
        }
        do throws(RegistryError) {
            let answer = try await daemon.repository.blob(name, digest)
            let end: Sight.End
            switch answer.content {
            case .file(let file):
                file.addReader()
                end = await read(file, answer.size, digest, patience, start)
                file.removeReader()
            case .stream(let stream): end = await read(stream, digest)
            }
            log.add(Sight(client: id, what: what, end: end))
        } catch {
            log.add(Sight(client: id, what: what, end: .refused(error.reason)))
        }
    }

    private func read(
        _ file: GrowingFile, _ size: Int64?, _ digest: Digest, _ patience: Int64?, _ start: Int64
    ) async -> Sight.End {
        var bytes: [UInt8] = []
        var offset = min(start, size ?? 0)
        let first = offset
        while true {
            let limit = file.sendable(upTo: size)
            if limit > offset {
                guard append(file, offset..<limit, to: &bytes) else { return .cut }
                offset = limit
            }
            // A client that has as many bytes as it was promised is done, whatever the daemon
            // knows.
            if let size, offset == size {
                return .completed(isRight: isRight(bytes, first, digest))
            }
            if let patience, offset - first > patience { return .left }
            let progress = file.progress
            if progress.phase == .failed { return .cut }
            if progress.phase == .complete, offset >= progress.written {
                if size != nil { return .cut }
                return .completed(isRight: isRight(bytes, first, digest))
            }
            _ = await file.progress(beyond: progress.written)
            await daemon.loop.yield()
        }
    }

    private func read(_ stream: VerifiedStream, _ digest: Digest) async -> Sight.End {
        var bytes: [UInt8] = []
        do throws(RegistryError) {
            while let chunk = try await stream.next() { bytes += chunk.bytes }
        } catch {
            return .cut
        }
        return .completed(isRight: isRight(bytes, 0, digest))
    }

    private func append(_ file: GrowingFile, _ range: Range<Int64>, to bytes: inout [UInt8]) -> Bool
    {
        var piece = [UInt8](repeating: 0, count: Int(range.count))
        let count = piece.withUnsafeMutableBytes {
            (try? System.pread(file.fd, $0, at: range.lowerBound)) ?? -1
        }
        bytes += piece
        return count == range.count
    }

    /// A whole body by its digest, the rest of one by what the digest's bytes end with.
    private func isRight(_ bytes: [UInt8], _ start: Int64, _ digest: Digest) -> Bool {
        guard start > 0 else { return StreamingHash.digest(of: bytes, .sha256) == digest }
        return log.blobs[digest].map { Array($0[Int(start)...]) == bytes } ?? false
    }
}

/// What all clients saw, in order.
final class SightLog: Sendable {
    private let sights = Mutex<[Sight]>([])
    let blobs: [Digest: [UInt8]]

    init(blobs: [Digest: [UInt8]]) {
        self.blobs = blobs
    }

    func add(_ sight: Sight) { sights.withLock { $0.append(sight) } }
    var all: [Sight] { sights.withLock { $0 } }
}

import Index
import OCI
import Reactor

@testable import Store

/// What happens to a store, as a seed draws it: pulls of blobs and manifests, some at the same
/// time, wrong, abandoned or dropped; evictions, damage found, restarts.
struct Workload {
    let seed: UInt64
    let stock: Stock
    let steps: Int
    let maxSize: Int64

    init(seed: UInt64, steps: Int = 24) {
        self.seed = seed
        self.steps = steps
        stock = Stock(seed: seed)
        // Half of them have room for everything, the others for half of it beside the index.
        maxSize = seed.isMultiple(of: 2) ? 8 << 20 : (1 << 20) + (640 << 10)
    }

    /// Runs all of it on this thread while `recorder` looks on.
    func run(_ top: String, _ recorder: OperationRecorder) throws {
        var generator = Reactor.SeededGenerator(seed: seed)
        try recorder.record {
            for session in 0..<2 {
                let run = try StoreRun(top, seed: seed &+ UInt64(session), maxSize: maxSize)
                if session > 0 {
                    run.start(turns: 200) { store in
                        recorder.mark(.mayForget)
                        await store.reconcile()
                        recorder.mark(.mayForgetNoMore)
                    }
                }
                for _ in 0..<(steps / 2) { step(run, recorder, &generator) }
                run.loop.runUntilIdle()
                // Else as a crash of the process would end it, without a word.
                if Bool.random(using: &generator) { run.run { await $0.close() } }
            }
        }
    }

    private func step(
        _ run: StoreRun, _ recorder: OperationRecorder,
        _ generator: inout Reactor.SeededGenerator
    ) {
        let turns = Int.random(in: 1..<60, using: &generator)
        let chosen = Int.random(in: 0..<stock.manifests.count, using: &generator)
        let piece = Int.random(in: 1..<40_000, using: &generator)
        guard let item = stock.blobs.randomElement(using: &generator) else { return }
        let client = Client(recorder: recorder, stock: stock, piece: piece)
        switch Int.random(in: 0..<16, using: &generator) {
        case 0..<4: run.start(turns: turns) { await client.store(item, isKnown: true, $0) }
        case 4..<6: run.start(turns: turns) { await client.store(item, isKnown: false, $0) }
        case 6..<9: run.start(turns: turns) { await client.image(chosen, $0) }
        case 9:
            run.start(turns: turns) { store in
                async let first: Void = client.store(item, isKnown: true, store)
                async let second: Void = client.store(item, isKnown: false, store)
                _ = await (first, second)
            }
        case 10: run.start(turns: turns) { await client.storeWrong(item, $0) }
        case 11: run.start(turns: turns) { await client.abandon(item, $0) }
        case 12: run.start(turns: turns) { await client.drop(item, $0) }
        case 13: run.start(turns: turns) { await client.discard(item, $0) }
        case 14: run.start(turns: turns) { await client.use(item, $0) }
        default: run.start(turns: turns) { await $0.flushRecency() }
        }
    }
}

/// One client's doings.
private struct Client: Sendable {
    let recorder: OperationRecorder
    let stock: Stock
    let piece: Int

    func store(_ item: Stock.Item, isKnown: Bool, _ store: BlobStore) async {
        do {
            let writer = try await write(item, item.bytes, isKnown: isKnown, store)
            _ = try await writer.finish()
            recorder.mark(.stored(item.digest.hex))
        } catch {
            // No room: that is for others to test.
        }
    }

    /// Appends `bytes`; the writer is at its end then, or abandoned.
    private func write(
        _ item: Stock.Item, _ bytes: [UInt8], isKnown: Bool, _ store: BlobStore
    ) async throws(StoreError) -> BlobWriter {
        recorder.mark(.mayForget)
        defer { recorder.mark(.mayForgetNoMore) }
        let writer = try await store.writer(
            for: item.digest, size: isKnown ? Int64(bytes.count) : nil)
        var start = 0
        while start < bytes.count {
            let end = min(start + piece, bytes.count)
            do throws(StoreError) {
                try await writer.append(Chunk(Array(bytes[start..<end])))
            } catch {
                await writer.abandon()
                throw error
            }
            start = end
        }
        return writer
    }

    func image(_ number: Int, _ store: BlobStore) async {
        let manifest = stock.manifests[number]
        let layers = stock.layers(of: number)
        await self.store(manifest, isKnown: true, store)
        let record = ManifestRecord(
            digest: manifest.digest, mediaType: "m", size: Int64(manifest.bytes.count),
            children: layers.map {
                ChildRow(digest: $0.digest, size: Int64($0.bytes.count), mediaType: "l")
            })
        guard let name = RepositoryName(parsing: "library/app\(number)"),
            let tag = Tag(parsing: "latest")
        else { return }
        _ = try? await store.index.record(manifest: record, repository: "hub", name: name)
        _ = try? await store.index.bind(
            repository: "hub", name: name, tag, to: manifest.digest, checkedAt: 1)
        for layer in layers {
            if await store.open(layer.digest) == nil {
                await self.store(layer, isKnown: true, store)
            }
        }
        store.markUsed(manifest.digest)
    }

    func storeWrong(_ item: Stock.Item, _ store: BlobStore) async {
        var bytes = item.bytes
        if bytes.isEmpty { bytes = [0] } else { bytes[bytes.count - 1] ^= 1 }
        let writer = try? await write(item, bytes, isKnown: true, store)
        _ = try? await writer?.finish()
    }

    func abandon(_ item: Stock.Item, _ store: BlobStore) async {
        let half = Array(item.bytes.prefix(item.bytes.count / 2))
        let writer = try? await write(item, half, isKnown: false, store)
        await writer?.abandon()
    }

    func drop(_ item: Stock.Item, _ store: BlobStore) async {
        _ = try? await write(item, item.bytes, isKnown: true, store)
    }

    func discard(_ item: Stock.Item, _ store: BlobStore) async {
        recorder.mark(.mayForget)
        await store.discard(item.digest)
        recorder.mark(.mayForgetNoMore)
    }

    func use(_ item: Stock.Item, _ store: BlobStore) async {
        _ = await store.open(item.digest)
        store.markUsed(item.digest)
    }
}

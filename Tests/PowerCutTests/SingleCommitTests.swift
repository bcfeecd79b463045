import OCI
import Reactor
import Synchronization
import TestSupport
import Testing

@testable import Store

/// Every moment of one commit, with everything that can be lost there (P2, DUR-1).
@Suite struct SingleCommitTests {
    /// Exhaustive over the changes of files and directories and, since SQLite reads its log up to
    /// the first gap, over how much there is of that.
    @Test(arguments: [true, false], [true, false])
    func everyMomentOfACommitIsSafe(isKnown: Bool, isFirst: Bool) async throws {
        let (problems, count) = try await offThePool { try Self.sweep(isKnown, isFirst) }
        print("single commit: \(count) different images")
        #expect(problems.prefix(3) == [])
        #expect(count > 100)
    }

    private static func sweep(_ isKnown: Bool, _ isFirst: Bool) throws -> ([String], Int) {
        let crashes = try recorded(isKnown, isFirst)
        var problems: [String] = []
        var seen: Set<[String: [UInt8]]> = []
        for moment in crashes.moments {
            let disk = crashes.disk(after: moment)
            for image in images(disk) where seen.insert(image.contents).inserted {
                problems += try crashes.check(image, moment, seed: 1).0
                    .map { "after operation \(moment): \($0)" }
            }
        }
        return (problems, seen.count)
    }

    /// A commit in a new store, or in one that holds a blob already.
    private static func recorded(_ isKnown: Bool, _ isFirst: Bool) throws -> Crashes {
        let stock = Stock(seed: 1)
        let directory = try TemporaryDirectory.inMemory()
        let (first, second) = (stock.blobs[4], stock.blobs[7])
        if !isFirst { try put(first, directory.path, isKnown, nil) }
        let recorder = try OperationRecorder(directory.path)
        try recorder.record { try put(second, directory.path, isKnown, recorder) }
        let before = isFirst ? [] : [FileOperation.mark(.stored(first.digest.hex))]
        return Crashes(recorder, stock, 8 << 20, after: Expectation(before, before.count))
    }

    private static func put(
        _ item: Stock.Item, _ top: String, _ isKnown: Bool, _ recorder: OperationRecorder?
    ) throws {
        let run = try StoreRun(top, seed: 1, maxSize: 8 << 20)
        let isStored = Mutex(false)
        run.run { store in
            let size = Int64(item.bytes.count)
            guard
                let writer = try? await store.writer(
                    for: item.digest, size: isKnown ? size : nil)
            else { return }
            try? await writer.append(Chunk(Array(item.bytes.prefix(4096))))
            try? await writer.append(Chunk(Array(item.bytes.dropFirst(4096))))
            guard (try? await writer.finish()) == size else { return }
            recorder?.mark(.stored(item.digest.hex))
            isStored.withLock { $0 = true }
            if recorder == nil { await store.close() }
        }
        #expect(isStored.withLock { $0 })
    }

    /// All that may be on a disk.
    private static func images(_ disk: DiskModel) -> [CrashImage] {
        let index = Set(
            disk.directories.values.flatMap { directory in
                (directory.durable.map { ($0, Optional($1)) }
                    + directory.pending.map { ($0.name, $0.inode) })
                    .filter { $0.0.hasPrefix("index.db") }.compactMap { $0.1 }
            })
        var changes: [[Inode]: Int] = [:]
        for (inode, file) in disk.files where !index.contains(inode) {
            for place in file.pending.indices { changes[[inode, place]] = changes.count }
        }
        for (inode, directory) in disk.directories {
            for place in directory.pending.indices { changes[[inode, place]] = changes.count }
        }
        let log = index.map { disk.files[$0]?.pending.count ?? 0 }.max() ?? 0
        return (0...log).flatMap { beginning in
            (0..<(1 << changes.count)).map { subset in
                CrashImage(disk) { inode, place in
                    guard let number = changes[[inode, place]] else { return place < beginning }
                    return subset & 1 << number != 0
                }
            }
        }
    }
}

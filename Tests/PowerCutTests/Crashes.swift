import Reactor
import TestSupport

/// A recorded run, and the images that a power cut may have left of it.
struct Crashes: Sendable {
    let operations: [FileOperation]
    let initial: DiskModel
    let stock: Stock
    let maxSize: Int64
    /// What held before the first operation.
    var before = Expectation()

    /// Records `workload` in a directory of its own.
    init(of workload: Workload) throws {
        let directory = try TemporaryDirectory.inMemory()
        let recorder = try OperationRecorder(directory.path)
        try workload.run(directory.path, recorder)
        self.init(recorder, workload.stock, workload.maxSize, after: Expectation())
    }

    init(
        _ recorder: OperationRecorder, _ stock: Stock, _ maxSize: Int64, after before: Expectation
    ) {
        operations = recorder.operations
        initial = recorder.initial
        self.stock = stock
        self.maxSize = maxSize
        self.before = before
    }

    /// The same run with other operations: what a careless store would have done.
    init(_ other: Crashes, _ operations: [FileOperation]) {
        self.operations = operations
        initial = other.initial
        stock = other.stock
        maxSize = other.maxSize
        before = other.before
    }

    /// Where the power may fail: after a change, not after a mark.
    var moments: [Int] {
        var moments = [0]
        for (index, operation) in operations.enumerated() {
            if case .mark = operation { continue }
            moments.append(index + 1)
        }
        return moments
    }

    /// The file system after the first `count` operations.
    func disk(after count: Int) -> DiskModel {
        var disk = initial
        for operation in operations.prefix(count) { disk.apply(operation) }
        return disk
    }

    /// Draws `count` images, and of some of them crashes of their recovery (`depth` 1).
    ///
    /// Gives what was wrong with them, with how to see it again.
    func problems(_ count: Int, seed: UInt64, depth: Int = 0) throws -> [String] {
        var generator = Reactor.SeededGenerator(seed: seed)
        var problems: [String] = []
        let moments = self.moments
        var done = 0
        while done < count {
            let moment = moments.randomElement(using: &generator) ?? 0
            let image = CrashImage(disk(after: moment), using: &generator)
            let isDeep = depth > 0 && done % 8 == 0
            let (found, recovery) = try check(image, moment, seed: seed, isRecorded: isDeep)
            problems += found.map { "after operation \(moment), image \(done): \($0)" }
            done += 1
            if let recovery {
                let again = min(4, count - done)
                problems += try recovery.problems(again, seed: generator.next(), depth: depth - 1)
                    .map { "recovery of image \(done - 1), \($0)" }
                done += again
            }
        }
        return problems
    }

    /// Opens an image; gives what is wrong with it, and the recording of how it was put right.
    func check(
        _ image: CrashImage, _ moment: Int, seed: UInt64, isRecorded: Bool = false
    ) throws -> ([String], Crashes?) {
        let directory = try TemporaryDirectory.inMemory()
        try image.write(to: directory.path)
        let expected = Expectation(operations, moment, after: before)
        let recorder = isRecorded ? try OperationRecorder(directory.path) : nil
        let check = ImageCheck(
            directory.path, stock, expected, seed: seed, maxSize: maxSize, recorder: recorder)
        return (check.problems, recorder.map { Crashes($0, stock, maxSize, after: expected) })
    }
}

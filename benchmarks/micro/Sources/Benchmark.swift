/// A small part of a pull's way that is measured alone.
protocol Benchmark {
    /// What it is called on the command line and in tables.
    static var name: String { get }
    /// What one operation is, in a few words.
    static var operation: String { get }
    /// The bytes that one operation handles, where the cost is told per GiB; 0 elsewhere.
    static var bytes: Int { get }

    /// Makes what the operations need; that is not measured.
    init(_ scratch: Scratch) async throws

    /// Does one operation.
    ///
    /// - Returns: a number that depends on the outcome and is used, so that nothing is left out.
    mutating func run() throws -> Int
}

extension Benchmark {
    static var bytes: Int { 0 }
}

/// All benchmarks, in the order of a pull.
var benchmarks: [any Benchmark.Type] {
    [
        ParseBenchmark.self, RouteBenchmark.self, SelectBenchmark.self, LinkBenchmark.self,
        TagBenchmark.self, BlobBenchmark.self, HeadBenchmark.self, SendfileBenchmark.self,
        HashBenchmark.self,
    ]
}

/// An operation came to another end than it was made for.
struct Unexpected: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

import HTTP

/// A request head from bytes to values.
struct ParseBenchmark: Benchmark {
    static let name = "parse"
    static let operation = "a request head, as containerd asks for a manifest"

    private let bytes: [UInt8]
    private var parser = RequestParser()

    init(_ scratch: Scratch) throws {
        bytes = try Samples.requestHead()
    }

    mutating func run() throws -> Int {
        let parsed = try bytes.withUnsafeBytes { try parser.parse($0) }
        guard let parsed, parsed.consumed == bytes.count else { throw Unexpected("half a head") }
        return parsed.consumed
    }
}

import HTTP
import OCI

/// The head of an answer, from values to bytes.
struct HeadBenchmark: Benchmark {
    static let name = "head"
    static let operation = "the head of a blob's answer, made and written"

    private let digest: String
    private var output: [UInt8] = []

    init(_ scratch: Scratch) throws {
        digest = try Samples.digest(1).description
    }

    mutating func run() throws -> Int {
        var fields: HeaderFields = ["Docker-Distribution-Api-Version": "registry/2.0"]
        fields.append("Content-Type", "application/octet-stream")
        fields.append("Docker-Content-Digest", digest)
        fields.append("ETag", "\"\(digest)\"")
        fields.append("Accept-Ranges", "bytes")
        fields.append("Cache-Status", "cistern; hit")
        fields.append("Content-Length", 31_357_624)
        output.removeAll(keepingCapacity: true)
        ResponseHead(status: 200, fields: fields).serialize(into: &output)
        guard output.count > 300 else { throw Unexpected("a field was refused") }
        return output.count
    }
}

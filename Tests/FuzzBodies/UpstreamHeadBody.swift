import OCI
import Upstream

/// Response heads of upstreams, line by line as libcurl hands them over (RES-4, INT-3, INT-11).
enum UpstreamHeadBody {
    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        var reader = UpstreamHeadReader(limits: UpstreamSettings.Limits())
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for line in lines {
            let line = Array(line) + [UInt8(ascii: "\n")]
            let completed = line.withUnsafeBytes { try? reader.read($0) }
            guard let completed else { return }
            if completed { try check(reader.head) }
        }
    }

    private static func check(_ head: UpstreamHead) throws(FuzzFailure) {
        try demand((200...599).contains(head.status), "status \(head.status)")
        try demand(head.contentLength.map { $0 >= 0 } ?? true, "negative length")
        for value in head.fields.values.joined() {
            try demand(value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f || $0 == 9 }, "control")
        }
        _ = head.rateLimit
        if let wait = head.retryAfter(wallSeconds: 1_000_000) {
            try demand(wait >= .zero, "negative Retry-After")
        }
        for offset: Int64 in [0, 1, 100, .max - 1] {
            guard let range = try? head.contentRange(offset: offset) else { continue }
            try demand(range.first == offset && range.last >= offset, "another range than asked")
        }
        if let digest = try? head.digest(isManifest: true) {
            try demand(digest.description == head["docker-content-digest"], "digest")
        }
    }
}

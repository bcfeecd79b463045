import API
import HTTP
import OCI

/// Paths and references: decoded once, no way out of the store, one text for one value (HTTP-5,
/// INT-5, INT-7).
enum RequestTargetBody {
    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        let text = String(decoding: bytes, as: UTF8.self)
        try checkValues(text)
        let request =
            Array("GET ".utf8) + bytes + Array(" HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)
        var parser = RequestParser()
        let head = request.withUnsafeBytes { try? parser.parse($0)?.head }
        guard let path = head?.target.path else { return }
        try demand(path.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != 0x5c }, "path bytes")
        let segments = path.split(separator: "/", omittingEmptySubsequences: false)
        try demand(!segments.contains("..") && !segments.contains("."), "a way up")
        guard let route = Route(path: path) else { return }
        if let name = RepositoryName(parsing: route.name) { try checkName(name) }
        switch route.resource {
        case .manifest(let last), .blob(let last), .referrers(let last):
            try checkValues(String(last))
        default: break
        }
    }

    private static func checkName(_ name: RepositoryName) throws(FuzzFailure) {
        let text = name.description
        try demand(RepositoryName(parsing: text) == name, "name")
        try demand(PercentEncoding.encodePath(text) == text, "a name that needs escapes")
        try demand(!text.contains("..") && !text.hasPrefix("/"), "a name that is a path")
    }

    /// What parses is written as it came.
    private static func checkValues(_ text: String) throws(FuzzFailure) {
        if let digest = Digest(parsing: text) {
            try demand(digest.description == text, "digest text")
            try demand(Digest(digest.algorithm, bytes: digest.bytes) == digest, "digest bytes")
            try demand(Tag(parsing: digest.referrersTag.text) != nil, "referrers tag")
        }
        if let tag = Tag(parsing: text) {
            try demand(tag.text == text && text.utf8.count <= Tag.bytesMax, "tag")
            try demand(!text.contains("/") && !text.hasPrefix("."), "a tag that is a path")
        }
        if let reference = Reference(parsing: text) {
            try demand(reference.description == text, "reference")
        }
    }
}

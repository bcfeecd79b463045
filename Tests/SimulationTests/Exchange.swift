import OCI

/// One request of a client in a simulation, and what it must not get.
struct Exchange {
    enum What {
        case manifest(Reference)
        /// A blob; `held` bytes are there from an earlier body that was cut.
        case blob(Digest, held: [UInt8])
        /// What no server may take for a request.
        case garbage
    }

    var what: What
    /// The registry's host, nil for the group of all.
    let host: String?
    let name: RepositoryName
    var isHead = false
    /// The bytes asked for, nil for all; an open end is as large as can be.
    var range: ClosedRange<Int>?
    let usesNamespace: Bool

    /// The request as it goes out.
    var bytes: [UInt8] {
        let path: String
        switch what {
        case .garbage: return Array("GET /v2/\u{0}x HTTP/1.1\r\nHost : a\r\n\r\n".utf8)
        case .manifest(let reference): path = "manifests/\(reference)"
        case .blob(let digest, _): path = "blobs/\(digest)"
        }
        let start: String
        var query = ""
        switch host {
        case nil: start = usesNamespace ? "\(name)" : "group/\(name)"
        case let host?:
            start = usesNamespace ? "\(name)" : "\(host)/\(name)"
            if usesNamespace { query = "?ns=\(host)" }
        }
        var text = "\(isHead ? "HEAD" : "GET") /v2/\(start)/\(path)\(query) HTTP/1.1\r\nHost: a\r\n"
        if let range {
            let end = range.upperBound == .max ? "" : String(range.upperBound)
            text += "Range: bytes=\(range.lowerBound)-\(end)\r\n"
        }
        return Array((text + "\r\n").utf8)
    }

    /// In short, for the trace.
    var text: String {
        let subject =
            switch what {
            case .garbage: "garbage"
            case .manifest(let reference): "manifest \(reference)".prefix(24).description
            case .blob(let digest, let held): "blob \(digest.hex.prefix(8)) holding \(held.count)"
            }
        let from = range.map { " \($0.lowerBound)-\($0.upperBound)" } ?? ""
        return "\(host ?? "group") \(name) \(isHead ? "HEAD " : "")\(subject)\(from)"
    }
}

/// One member of a Cache-Status value: what Cistern did for an answer (RFC 9211).
package struct CacheStatus: Equatable, Sendable {
    /// Why the request went to the upstream (RFC 9211 §2.2).
    package enum Forward: String, Sendable {
        /// The configuration said so.
        case bypass
        /// The method's meaning demands it.
        case method
        /// Nothing was kept under that name.
        case uriMiss = "uri-miss"
        /// Something was kept, but not what was asked for.
        case miss
        /// What was kept had to be asked about again.
        case stale
        /// Only a part was kept.
        case partial
        /// The request's own fields demanded it.
        case request
    }

    /// How this cache calls itself.
    package static let name = "cistern"
    /// The longest value of caches further up that is passed on.
    package static let upstreamBytesMax = 1024

    package var hit: Bool
    package var forward: Forward?
    /// The status the upstream answered with, if it did.
    package var forwardStatus: Int?
    /// Seconds until what was served has to be asked about again; negative if that is overdue.
    package var ttl: Int64?
    package var stored: Bool
    /// Whether the request joined a fetch that another one had begun.
    package var collapsed: Bool
    package var detail: String?

    package init(
        hit: Bool = false, forward: Forward? = nil, forwardStatus: Int? = nil, ttl: Int64? = nil,
        stored: Bool = false, collapsed: Bool = false, detail: String? = nil
    ) {
        self.hit = hit
        self.forward = forward
        self.forwardStatus = forwardStatus
        self.ttl = ttl
        self.stored = stored
        self.collapsed = collapsed
        self.detail = detail
    }

    /// Served from what was kept, for `ttl` more seconds.
    package static func hit(ttl: Int64? = nil) -> Self {
        Self(hit: true, ttl: ttl)
    }

    private static let plainHit = Self(hit: true)
    private static let plainHitText = "\(name); hit"

    /// The header's value: this member behind those of the caches further up, if theirs is
    /// presentable.
    package func value(appendingTo upstream: String? = nil) -> String {
        guard let upstream, !upstream.isEmpty, upstream.utf8.count <= Self.upstreamBytesMax,
            upstream.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7f })
        else { return member }
        return "\(upstream), \(member)"
    }

    private var member: String {
        if self == Self.plainHit { return Self.plainHitText }
        var text = Self.name
        if hit { text += "; hit" }
        if let forward { text += "; fwd=\(forward.rawValue)" }
        if let forwardStatus { text += "; fwd-status=\(forwardStatus)" }
        if let ttl { text += "; ttl=\(ttl)" }
        if stored { text += "; stored" }
        if collapsed { text += "; collapsed" }
        if let detail, !detail.isEmpty { text += "; detail=\(Self.item(detail))" }
        return text
    }

    /// A token where the text is one, else a quoted string of its visible ASCII (RFC 8941 §3.3).
    private static func item(_ text: String) -> String {
        if let first = text.utf8.first, (first | 0x20) &- UInt8(ascii: "a") < 26,
            Bytes.isToken(text)
        {
            return text
        }
        var quoted = "\""
        for byte in text.utf8.prefix(256) where byte >= 0x20 && byte < 0x7f {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { quoted += "\\" }
            quoted.unicodeScalars.append(Unicode.Scalar(byte))
        }
        return quoted + "\""
    }
}

/// An `http` or `https` URL of an upstream or a token realm, without userinfo, query or fragment.
package struct UpstreamURL: Hashable, Sendable, CustomStringConvertible {
    /// The schemes that libcurl is allowed to speak (SSRF-2).
    package enum Scheme: String, Sendable {
        case http, https
    }

    /// Why a text is not such a URL.
    package enum Refusal: Error, Equatable, Sendable {
        case scheme, userinfo, query, host, port, path, length
    }

    /// RFC 9110 recommends 8000 octets; SSRF-2 refuses more than 8 KiB.
    private static let lengthMax = 8192

    package let scheme: Scheme
    /// Lower case; IPv6 in brackets.
    package let host: String
    /// The port, the scheme's own when none is written.
    package let port: UInt16
    /// Empty, or `/` and more without a slash at its end.
    package let path: String

    /// `scheme://host[:port]`, the port left out when it is the scheme's own.
    package var origin: String {
        let usual: UInt16 = scheme == .https ? 443 : 80
        return "\(scheme.rawValue)://\(host)" + (port == usual ? "" : ":\(port)")
    }

    package var description: String { origin + path }

    /// Reads an absolute URL.
    package init(parsing text: String) throws(Refusal) {
        guard text.utf8.count <= Self.lengthMax else { throw .length }
        let lower = text.lowercased()
        let rest: Substring
        if lower.hasPrefix("https://") {
            scheme = .https
            rest = text.dropFirst(8)
        } else if lower.hasPrefix("http://") {
            scheme = .http
            rest = text.dropFirst(7)
        } else {
            throw .scheme
        }
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        let authority = rest[..<slash]
        guard !authority.contains("@") else { throw .userinfo }
        guard !rest.contains("?"), !rest.contains("#") else { throw .query }
        guard let parsed = HostAndPort(parsing: authority) else {
            throw .host
        }
        host = parsed.host
        guard parsed.port != 0 else { throw .port }
        port = parsed.port ?? (scheme == .https ? 443 : 80)
        path = try Self.readPath(rest[slash...])
    }

    private static func readPath(_ text: Substring) throws(Refusal) -> String {
        var text = text
        while text.hasSuffix("/") { text = text.dropLast() }
        let allowed = text.utf8.allSatisfy { byte in
            (0x21...0x7E).contains(byte) && !"\"<>\\^`{|}".utf8.contains(byte)
        }
        let segments = text.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        guard allowed, !segments.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }) else {
            throw .path
        }
        return String(text)
    }
}

import CCurl

/// An absolute `http` or `https` URL that Cistern may consider asking.
///
/// Can only exist without userinfo, fragment, control or non-ASCII characters, and no longer
/// than 8 KiB (SSRF-2). Parsed by libcurl, and `text` is written by libcurl from what it parsed:
/// what was checked is what is dialled.
package struct RemoteURL: Hashable, Sendable {
    package enum Scheme: String, Sendable {
        case http, https

        fileprivate var defaultPort: UInt16 { self == .http ? 80 : 443 }
    }

    /// The longest URL accepted, in bytes.
    package static let bytesMax = 8 << 10

    package let scheme: Scheme
    /// Lower case; an IPv6 address stands in brackets.
    package let host: String
    package let port: UInt16
    /// At least `/`, as it came: nothing is decoded or folded.
    package let path: String
    /// Without the question mark; nil when there is none.
    package let query: String?
    /// The whole URL.
    package let text: String

    /// Parses an absolute URL.
    package init?(parsing text: some StringProtocol) {
        self.init(resolving: String(text), against: nil)
    }

    /// Resolves a `Location` or `Link` target against the URL it was received from (RFC 3986 §5).
    package init?(resolving reference: String, against base: RemoteURL?) {
        guard Self.isAcceptable(reference), !Self.lacksHost(reference), let handle = curl_url()
        else { return nil }
        defer { curl_url_cleanup(handle) }
        let flags = UInt32(CURLU_DISALLOW_USER | CURLU_PATH_AS_IS)
        if let base {
            guard curl_url_set(handle, CURLUPART_URL, base.text, flags) == CURLUE_OK else {
                return nil
            }
        }
        guard curl_url_set(handle, CURLUPART_URL, reference, flags) == CURLUE_OK,
            Self.part(CURLUPART_USER, of: handle) == nil,
            Self.part(CURLUPART_PASSWORD, of: handle) == nil,
            Self.part(CURLUPART_FRAGMENT, of: handle) == nil,
            let scheme = Self.part(CURLUPART_SCHEME, of: handle).flatMap(Scheme.init(rawValue:)),
            let host = Self.part(CURLUPART_HOST, of: handle)?.lowercased(), !host.isEmpty,
            let port = Self.part(CURLUPART_PORT, of: handle, UInt32(CURLU_DEFAULT_PORT))
                .flatMap(UInt16.init), port > 0,
            let path = Self.part(CURLUPART_PATH, of: handle), path.hasPrefix("/"),
            let text = Self.part(CURLUPART_URL, of: handle), Self.isAcceptable(text),
            Self.host(of: text) == host
        else { return nil }
        self.scheme = scheme
        self.host = host
        self.port = port
        self.path = path
        // libcurl's text has no lone question mark, so an empty query is none.
        self.query = Self.part(CURLUPART_QUERY, of: handle).flatMap { $0.isEmpty ? nil : $0 }
        self.text = text
    }

    /// The host that libcurl reads in what it wrote.
    ///
    /// It looks for numbers that are addresses before it decodes a host, so that `2130706%33` is a
    /// name when it is read first, and 1.69.31.247 when it is dialled.
    private static func host(of text: String) -> String? {
        guard let handle = curl_url() else { return nil }
        defer { curl_url_cleanup(handle) }
        guard curl_url_set(handle, CURLUPART_URL, text, UInt32(CURLU_PATH_AS_IS)) == CURLUE_OK
        else { return nil }
        return part(CURLUPART_HOST, of: handle)?.lowercased()
    }

    /// `scheme:///…`, where libcurl would take the path's first part for the host.
    private static func lacksHost(_ text: String) -> Bool {
        let scheme = text.utf8.prefix { $0 != UInt8(ascii: ":") && $0 != UInt8(ascii: "/") }
        return text.utf8.dropFirst(scheme.count).starts(with: ":///".utf8)
    }

    /// Only visible ASCII, no fragment, and nothing that two parsers read in two ways.
    private static func isAcceptable(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= bytesMax
            && text.utf8.allSatisfy {
                $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "#") && $0 != UInt8(ascii: "\\")
            }
    }

    private static func part(
        _ part: CURLUPart, of handle: OpaquePointer, _ flags: UInt32 = 0
    ) -> String? {
        var raw: UnsafeMutablePointer<CChar>?
        guard curl_url_get(handle, part, &raw, flags) == CURLUE_OK, let raw else { return nil }
        defer { curl_free(raw) }
        return String(cString: raw)
    }
}

extension RemoteURL: CustomStringConvertible {
    /// Scheme, host and port: paths and queries may hold secrets (CRED-6).
    package var description: String { origin.description }
}

/// Scheme, host and port: what credentials are bound to (CRED-3, RFC 6454 §4).
package struct Origin: Hashable, Sendable, CustomStringConvertible {
    package let scheme: RemoteURL.Scheme
    package let host: String
    package let port: UInt16

    package var description: String {
        port == scheme.defaultPort
            ? "\(scheme.rawValue)://\(host)" : "\(scheme.rawValue)://\(host):\(port)"
    }
}

extension RemoteURL {
    package var origin: Origin { Origin(scheme: scheme, host: host, port: port) }
}

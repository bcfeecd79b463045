import Linux

extension ValueKind where Value == ListenAddress {
    /// A numeric address with port, or a socket of systemd's.
    static var listenAddress: ValueKind<ListenAddress> {
        .text(
            "an address such as \"127.0.0.1:5000\", \"[::]:5000\" or \"systemd:NAME\"",
            code: "bad-address", ListenAddress.parse)
    }
}

extension ListenAddress {
    /// Reads `ADDRESS:PORT`, `:PORT` (every IPv4 address) or `systemd:NAME`.
    static func parse(_ text: String) -> Parsed<ListenAddress> {
        if text.hasPrefix("systemd:") { return parseSystemd(text.dropFirst(8)) }
        if text.hasPrefix("unix:") {
            return .wrong("takes no unix socket", help: "\"127.0.0.1:5000\" or \"systemd:NAME\"")
        }
        guard let colon = text.lastIndex(of: ":"), !text.hasSuffix("]") else {
            return .wrong("= \"\(Quoted.of(text))\" has no port", help: "\"\(example(text)):5000\"")
        }
        let host = text[..<colon]
        let digits = text[text.index(after: colon)...]
        guard digits.utf8.allSatisfy({ (48...57).contains($0) }), let port = UInt16(digits) else {
            return .wrong("has no port from 0 to 65535 at its end", help: nil)
        }
        if host.isEmpty, let any = IPAddress(parsing: "0.0.0.0") {
            return .value(.tcp(any, port: port))
        }
        if host.hasPrefix("["), host.hasSuffix("]"),
            let address = IPAddress(parsing: host.dropFirst().dropLast()), address.isIPv6
        {
            return .value(.tcp(address, port: port))
        }
        if let address = IPAddress(parsing: host), !address.isIPv6 {
            return .value(.tcp(address, port: port))
        }
        return .wrong(
            "takes a numeric address, not \"\(Quoted.of(String(host)))\"",
            help: host == "localhost"
                ? "\"127.0.0.1:\(port)\"" : "\"0.0.0.0:\(port)\" for every address of this machine")
    }

    private static func parseSystemd(_ name: Substring) -> Parsed<ListenAddress> {
        let good = name.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: ":") }
        guard (1...255).contains(name.utf8.count), good else {
            return .wrong(
                "names no socket", help: "\"systemd:NAME\" with the FileDescriptorName= of the unit"
            )
        }
        return .value(.systemd(name: String(name)))
    }

    private static func example(_ text: String) -> String {
        guard let address = IPAddress(parsing: text) else { return "127.0.0.1" }
        return address.authorityText
    }
}

extension ValueKind where Value == UpstreamURL {
    /// The address of a registry.
    static var upstreamURL: ValueKind<UpstreamURL> {
        .text("a URL such as \"https://quay.io\"", code: "bad-url") { text in
            switch UpstreamURL.parse(text) {
            case .value(let url) where url.path == "/v2" || url.path.hasSuffix("/v2"):
                .wrong("ends in /v2", help: "leave /v2 out, it is added to every request")
            case let other: other
            }
        }
    }

    /// The address of a token service.
    static var realmURL: ValueKind<UpstreamURL> {
        .text("a URL such as \"https://auth.example.org/token\"", code: "bad-url") { text in
            UpstreamURL.parse(text)
        }
    }
}

extension UpstreamURL {
    /// Reads a URL; the text is never repeated, since it may hold a password (CRED-6).
    static func parse(_ text: String) -> Parsed<UpstreamURL> {
        do throws(Refusal) {
            return .value(try UpstreamURL(parsing: text))
        } catch {
            switch error {
            case .scheme:
                return .wrong("takes a URL that begins with https:// or http://", help: nil)
            case .userinfo:
                return .wrong(
                    "holds a user name or password",
                    help: "set username and password = { file = \"/path\" } instead")
            case .query: return .wrong("holds a query or fragment", help: nil)
            case .host: return .wrong("has no valid host", help: nil)
            case .port: return .wrong("has a port that is not from 1 to 65535", help: nil)
            case .path: return .wrong("has a path with characters that no path here has", help: nil)
            case .length: return .wrong("is longer than 8 KiB", help: nil)
            }
        }
    }
}

extension ValueKind where Value == Network {
    /// A network in CIDR form.
    static var network: ValueKind<Network> {
        .text("a network such as \"10.0.0.0/8\"") { text in
            if let network = Network(parsing: text) { return .value(network) }
            return .wrong(
                "takes networks such as \"10.0.0.0/8\", not \"\(Quoted.of(text))\"",
                help: text.contains("/") ? "all bits after the prefix must be 0" : nil)
        }
    }
}

extension ValueKind where Value == String {
    /// A registry's name, normalised.
    static var registry: ValueKind<String> {
        .text("a registry's name such as \"quay.io\"") { text in
            if let name = RegistryAlias.normalised(text) { return .value(name) }
            return .wrong(
                "takes a host name, with or without port, not \"\(Quoted.of(text))\"",
                help: text.contains("/") ? "the address goes into upstream" : nil)
        }
    }

    /// A name a `Host` field may hold, without port; `*` for any.
    static var hostname: ValueKind<String> {
        .text("a host name such as \"cache.example.org\"") { text in
            if text == "*" { return .value(text) }
            let bracketed = text.contains(":") && !text.hasPrefix("[") ? "[\(text)]" : text
            if let parsed = HostAndPort(parsing: bracketed), parsed.port == nil {
                return .value(parsed.host)
            }
            return .wrong(
                "takes host names without port, not \"\(Quoted.of(text))\"", help: nil)
        }
    }
}

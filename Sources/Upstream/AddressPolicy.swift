import Linux

/// Which addresses may be connected to (SSRF-3).
///
/// Asked after DNS, for every address libcurl is about to dial, and again before each request
/// with the address of the connection it will use, which may be a pooled one.
struct AddressPolicy: Sendable {
    /// The configured upstream: it may be anywhere, since the operator wrote it.
    let configured: Origin
    let allowed: [Network]

    /// Whether a request to `origin` may go to `address`.
    ///
    /// Only the very origin that was configured is free; another port of the same host is
    /// another service and must be public or listed.
    func permits(_ address: IPAddress, for origin: Origin) -> Bool {
        if origin == configured { return true }
        if isListed(address) { return true }
        if let embedded = address.embedded {
            return isListed(embedded) || Self.isPublic(embedded)
        }
        return Self.isPublic(address)
    }

    private func isListed(_ address: IPAddress) -> Bool {
        allowed.contains { $0.contains(address) }
    }

    /// Whether an address without an embedded one is routed on the public internet.
    private static func isPublic(_ address: IPAddress) -> Bool {
        !reserved.contains { $0.contains(address) }
    }

    /// Loopback, link-local, unspecified, multicast, private, shared, reserved.
    private static let reserved: [Network] = [
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4",
        "240.0.0.0/4",
        // ::, ::1 and the IPv4-compatible forms; local NAT64; discard; Teredo.
        "::/96", "64:ff9b:1::/48", "100::/64", "2001::/32",
        // Unique local, link-local, site-local, multicast.
        "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
    ].compactMap { Network(parsing: $0) }
}

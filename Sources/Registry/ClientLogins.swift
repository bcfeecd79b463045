import OCI
package import Reactor
import Store

/// A client's own login at an upstream; in memory only, and nowhere in words (CRED-4, CRED-6).
package struct ClientLogin: Sendable, CustomStringConvertible, CustomReflectable {
    package let username: [UInt8]
    package let password: [UInt8]

    package init(username: [UInt8], password: [UInt8]) {
        self.username = username
        self.password = password
    }

    package var description: String { "a login" }

    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// The proxy as each login sees it: with connections, tokens, fetches and memberships of its own
/// (AUTH-3, CRED-2).
///
/// Found by a hash that is salted anew in each process.
package actor ClientLogins {
    /// Logins at work at once; the one not used for longest goes first (RES-7).
    private static let loginsMax = 256

    private nonisolated let loop: EventLoop
    private let salt: [UInt8]
    private let make: @Sendable (ClientLogin) -> ProxyRepository?
    private var proxies = RecencyCache<Digest, ProxyRepository>(costMax: ClientLogins.loginsMax)

    /// Takes how a proxy is made for a login; nil when there is no memory for one.
    package init(
        loop: EventLoop, make: @escaping @Sendable (ClientLogin) -> ProxyRepository?
    ) {
        self.loop = loop
        self.make = make
        var generator = SystemRandomNumberGenerator()
        salt = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        loop.asUnownedSerialExecutor()
    }

    func proxy(for login: ClientLogin) -> ProxyRepository? {
        let length = withUnsafeBytes(of: UInt64(login.username.count).littleEndian) { Array($0) }
        let key = StreamingHash.digest(
            of: salt + length + login.username + login.password, .sha256)
        if let known = proxies.use(key) { return known }
        guard let proxy = make(login) else { return nil }
        proxies.insert(proxy, for: key)
        return proxy
    }
}

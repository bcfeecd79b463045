/// `[admin]`: where `/healthz`, `/readyz` and `/metrics` are served, and who may change something.
package struct AdminConfiguration: Sendable, Equatable {
    /// The address of the admin listener; never that of a client listener.
    package var address: ListenAddress
    /// The unix socket that `cistern verify` and its like speak to, absolute; nil:
    /// in the store.
    package var socket: String?
}

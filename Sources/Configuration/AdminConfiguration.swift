/// `[admin]`: where `/healthz`, `/readyz` and `/metrics` are served.
package struct AdminConfiguration: Sendable, Equatable {
    /// The address of the admin listener; never that of a client listener.
    package var address: ListenAddress
}

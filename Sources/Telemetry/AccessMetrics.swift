/// Why a login counted for nothing, for `cistern_auth_failures_total`.
package enum AuthFailure: String, CaseIterable, Sendable {
    /// No such user, or not the password.
    case badPassword = "bad_password"
    /// No token of ours, or one that has ended.
    case badToken = "bad_token"
    /// Neither Basic nor Bearer, or nothing that can be read.
    case malformed
    /// More logins at once than can be checked (AUTH-9).
    case busy
    /// A login that is right, but may not do this.
    case denied
}

/// Logins that were refused.
///
/// A request without a login that needs one is none of them: clients begin like that.
package struct AccessMetrics: Sendable {
    private let failures: [AuthFailure: BoundCounter]

    init(_ metrics: Metrics) {
        let failures = metrics.counter(
            "cistern_auth_failures_total", help: "Refused logins by cause.", labels: ["reason"])
        self.failures = boundByCase { failures.bound([$0]) }
    }

    package func failed(_ reason: AuthFailure) { failures[reason]?.add() }
}

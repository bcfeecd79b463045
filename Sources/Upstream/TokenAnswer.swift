import OCI

/// The JSON a token endpoint answers with: the token and how long it lives (CRED-8).
package struct TokenAnswer: Equatable {
    /// What a missing `expires_in` means, and the least that is believed.
    static let lifeMin: Int64 = 60
    /// A token is asked for anew at least this often, in seconds (CRED-8).
    static let lifeMax: Int64 = 3600

    package var token: String
    package var life: Duration

    /// Reads `token` or `access_token`, and `expires_in`; nil when there is no usable token.
    package init?(parsing bytes: [UInt8], bytesMax: Int) {
        var limits = JSONLimits()
        limits.bytesMax = bytesMax
        guard let document = try? JSONValue.parse(bytes, limits: limits) else { return nil }
        let names = ["token", "access_token"]
        guard let token = names.compactMap({ document[$0]?.string }).first(where: { !$0.isEmpty }),
            token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
        else { return nil }
        self.token = token
        let lifetime = document["expires_in"]
        let seconds = lifetime?.integer ?? lifetime?.string.flatMap { Int64($0) } ?? Self.lifeMin
        life = .seconds(min(max(seconds, Self.lifeMin), Self.lifeMax))
    }
}

import Index
import OCI
import Store

/// Under what membership is recorded: a repository as one login at one upstream (AUTH-1).
///
/// A repository whose `upstream` or `username` changes begins with no memberships, whatever its
/// name: what another upstream showed, or showed to another login, is not its own. The bytes stay
/// and are used again as soon as the new upstream says that it has them. A new password of the same
/// user changes nothing.
package struct Scope: Sendable, Hashable {
    /// Between a repository's name and what follows; in no name.
    private static let upstreamMark: Character = "@"
    /// In front of the login; what is recorded without one is public.
    package static let loginMark: Character = "!"

    /// The repository's name in the configuration, for logs and metrics.
    package let repository: String
    /// What stands in the index: hashes, since nobody needs to read there who logs in where.
    package let key: String
    /// What is part of every key of the same upstream.
    let upstreamPart: String

    /// The scope of a hosted repository: nobody's upstream, and never public by itself.
    package init(hosted repository: String) {
        self.repository = repository
        upstreamPart = HostedKey.key(repository)
        key = HostedKey.key(repository)
    }

    /// Takes where the repository is fetched from, and who logs in there, if anybody does.
    package init(_ repository: String, upstream: String, login: String? = nil) {
        self.repository = repository
        upstreamPart = "\(Self.upstreamMark)\(Self.short(upstream))"
        let login = login.map { "\(Self.loginMark)\(Self.short("\(upstream)\n\($0)"))" } ?? ""
        key = repository + upstreamPart + login
    }

    /// The first 64 bits of a hash, in hexadecimal.
    private static func short(_ text: String) -> String {
        let digest = StreamingHash.digest(of: Array(text.utf8), .sha256)
        return String(digest.hex.prefix(16))
    }
}

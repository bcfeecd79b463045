package import OCI

/// A configured repository: Nexus's three kinds.
package enum Repository: Sendable {
    case hosted(HostedRepository)
    case proxy(ProxyRepository)
    case group(GroupRepository)

    /// The name in the configuration.
    package var name: String {
        switch self {
        case .hosted(let hosted): hosted.name
        case .proxy(let proxy): proxy.name
        case .group(let group): group.name
        }
    }

    /// Whether clients are shown what their own logins may see.
    package var passesLoginsOn: Bool {
        switch self {
        case .proxy(let proxy): proxy.logins != nil
        case .hosted, .group: false
        }
    }

    /// The repository as a client with this login sees it; nil when nothing can be made for it.
    ///
    /// Without a login, or where logins are not passed on, as everybody sees it.
    package func seen(by login: ClientLogin?) async -> Repository? {
        guard let login, case .proxy(let proxy) = self, let logins = proxy.logins else {
            return self
        }
        return await logins.proxy(for: login).map { .proxy($0) }
    }

    /// The manifest of a tag or digest; of one that was pushed HEAD lets others count on it.
    package func manifest(
        _ name: RepositoryName, _ reference: Reference, isHead: Bool
    ) async throws(RegistryError) -> ManifestAnswer {
        switch self {
        case .hosted(let hosted): try await hosted.manifest(name, reference, isHead: isHead)
        case .proxy(let proxy): try await proxy.manifest(name, reference)
        case .group(let group): try await group.manifest(name, reference, isHead: isHead)
        }
    }

    /// The blob, complete, growing or streamed through.
    package func blob(
        _ name: RepositoryName, _ digest: Digest
    ) async throws(RegistryError) -> BlobAnswer {
        switch self {
        case .hosted(let hosted): try await hosted.blob(name, digest)
        case .proxy(let proxy): try await proxy.blob(name, digest)
        case .group(let group): try await group.blob(name, digest)
        }
    }

    /// What HEAD of a blob answers.
    package func blobHead(
        _ name: RepositoryName, _ digest: Digest
    ) async throws(RegistryError) -> BlobHead {
        switch self {
        case .hosted(let hosted): try await hosted.blobHead(name, digest)
        case .proxy(let proxy): try await proxy.blobHead(name, digest)
        case .group(let group): try await group.blobHead(name, digest)
        }
    }

    /// What HEAD of a blob answers from what is stored, without asking anybody.
    package func storedBlobHead(
        _ name: RepositoryName, _ digest: Digest
    ) async throws(RegistryError) -> BlobHead {
        switch self {
        case .hosted(let hosted): try await hosted.blobHead(name, digest)
        case .proxy(let proxy): try await proxy.storedBlobHead(name, digest)
        case .group(let group): try await group.storedBlobHead(name, digest)
        }
    }

    /// All tags of a name, in ASCII order.
    package func tags(_ name: RepositoryName) async throws(RegistryError) -> TagsAnswer {
        switch self {
        case .hosted(let hosted): try await hosted.tags(name)
        case .proxy(let proxy): try await proxy.tags(name)
        case .group(let group): try await group.tags(name)
        }
    }

    /// A page of what refers to a manifest.
    package func referrers(
        _ name: RepositoryName, _ query: ReferrersQuery
    ) async throws(RegistryError) -> ReferrersAnswer {
        switch self {
        case .hosted(let hosted): try await hosted.referrers(name, query)
        case .proxy(let proxy): try await proxy.referrers(name, query)
        case .group(let group): try await group.referrers(name, query)
        }
    }

    /// Where pushes to it go; nil if it takes none (AUTH-10).
    package var pushTarget: HostedRepository? {
        switch self {
        case .hosted(let hosted): hosted
        case .proxy: nil
        case .group(let group): group.pushTo
        }
    }

    /// Names of which something can be pulled without asking anybody, after `last`, in their order.
    package func names(after last: String, limit: Int) async -> [String] {
        switch self {
        case .hosted(let hosted): await hosted.names(after: last, limit: limit)
        case .proxy(let proxy): await proxy.names(after: last, limit: limit)
        case .group(let group): await group.names(after: last, limit: limit)
        }
    }

    /// Whether a blob can be read under `name` now, without asking anybody.
    package func has(_ digest: Digest, under name: RepositoryName) async -> Bool {
        switch self {
        case .hosted(let hosted): return hosted.has(digest, under: name)
        case .proxy(let proxy):
            // What depends on somebody's login is nobody else's to give away.
            guard proxy.logins == nil else { return false }
            return await proxy.localBlob(name, digest) != nil
        case .group(let group):
            if group.hosted.contains(where: { $0.has(digest, under: name) }) { return true }
            for member in group.members where member.logins == nil {
                if await member.localBlob(name, digest) != nil { return true }
            }
            return false
        }
    }

    /// What it shares with all others; who remembers an answer holds that, and no repository.
    package var content: Content {
        switch self {
        case .hosted(let hosted): hosted.content
        case .proxy(let proxy): proxy.content
        case .group(let group): group.content
        }
    }

    /// Whether a resumed body of `digest` might be completed with other bytes (INT-4).
    package func hadMismatch(_ digest: Digest) -> Bool { content.hadMismatch(digest) }
}

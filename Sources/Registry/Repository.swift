package import OCI

/// A configured repository: Nexus's three kinds, of which hosted ones are still to come.
package enum Repository: Sendable {
    case proxy(ProxyRepository)
    case group(GroupRepository)

    /// The name in the configuration.
    package var name: String {
        switch self {
        case .proxy(let proxy): proxy.name
        case .group(let group): group.name
        }
    }

    /// Whether clients are shown what their own logins may see.
    package var passesLoginsOn: Bool {
        switch self {
        case .proxy(let proxy): proxy.logins != nil
        case .group: false
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

    /// The manifest of a tag or digest.
    package func manifest(
        _ name: RepositoryName, _ reference: Reference
    ) async throws(RegistryError) -> ManifestAnswer {
        switch self {
        case .proxy(let proxy): try await proxy.manifest(name, reference)
        case .group(let group): try await group.manifest(name, reference)
        }
    }

    /// The blob, complete, growing or streamed through.
    package func blob(
        _ name: RepositoryName, _ digest: Digest
    ) async throws(RegistryError) -> BlobAnswer {
        switch self {
        case .proxy(let proxy): try await proxy.blob(name, digest)
        case .group(let group): try await group.blob(name, digest)
        }
    }

    /// What HEAD of a blob answers.
    package func blobHead(
        _ name: RepositoryName, _ digest: Digest
    ) async throws(RegistryError) -> BlobHead {
        switch self {
        case .proxy(let proxy): try await proxy.blobHead(name, digest)
        case .group(let group): try await group.blobHead(name, digest)
        }
    }

    /// All tags of a name, in ASCII order.
    package func tags(_ name: RepositoryName) async throws(RegistryError) -> TagsAnswer {
        switch self {
        case .proxy(let proxy): try await proxy.tags(name)
        case .group(let group): try await group.tags(name)
        }
    }

    /// What refers to a manifest.
    package func referrers(
        _ name: RepositoryName, _ digest: Digest, artifactType: String?
    ) async throws(RegistryError) -> ReferrersAnswer {
        switch self {
        case .proxy(let proxy):
            try await proxy.referrers(name, digest, artifactType: artifactType)
        case .group(let group):
            try await group.referrers(name, digest, artifactType: artifactType)
        }
    }

    /// Says that a blob could not be sent to its end, though its client was there (INT-9).
    package func couldNotSend(_ blob: BlobAnswer) {
        guard case .file(let file) = blob.content else { return }
        switch self {
        case .proxy(let proxy): proxy.content.couldNotSend(file, of: blob.digest)
        case .group(let group):
            group.members.first?.content.couldNotSend(file, of: blob.digest)
        }
    }

    /// Whether a resumed body of `digest` might be completed with other bytes (INT-4).
    package func hadMismatch(_ digest: Digest) -> Bool {
        switch self {
        case .proxy(let proxy): proxy.content.hadMismatch(digest)
        case .group(let group): group.members.contains { $0.content.hadMismatch(digest) }
        }
    }
}

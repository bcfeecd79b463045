package import OCI
import Reactor

/// Several repositories under one name: the first that has something gives it.
///
/// Hosted members come first, whatever the order: what is pushed under a name owns it, and no
/// proxy is ever asked for that name (AUTH-10). Of the proxies, what any has locally is served
/// before any network is asked. Then the members that have
/// given the tag before are asked, then the one in which the name was found last, then the others
/// in order; a member that does not have it, or is in trouble, passes the question on.
package final class GroupRepository: Sendable {
    package let name: String
    package let hosted: [HostedRepository]
    package let members: [ProxyRepository]
    /// The hosted repository that takes pushes.
    package let pushTo: HostedRepository?
    let content: Content

    package init(
        name: String, hosted: [HostedRepository] = [], members: [ProxyRepository],
        pushTo: HostedRepository? = nil, content: Content
    ) {
        self.name = name
        self.hosted = hosted
        self.members = members
        self.pushTo = pushTo
        self.content = content
    }

    /// The hosted members that have something under `name`: theirs is the first word, and the last.
    private func owners(of name: RepositoryName) -> [HostedRepository] {
        hosted.filter { $0.owns(name) }
    }

    /// What the first owner of `name` that has it gives; nil if nobody owns the name.
    private func owned<T>(
        _ name: RepositoryName,
        _ ask: (HostedRepository) async throws(RegistryError) -> T
    ) async throws(RegistryError) -> T? {
        let owners = owners(of: name)
        guard !owners.isEmpty else { return nil }
        var failure = RegistryError.notFound
        for owner in owners {
            do throws(RegistryError) {
                return try await ask(owner)
            } catch {
                failure = Self.worse(failure, error)
            }
        }
        throw failure
    }

    /// Whether a repository of this name is one of the members.
    package func isOver(_ name: String) -> Bool {
        hosted.contains { $0.name == name } || members.contains { $0.name == name }
    }

    /// Names that any member shows, after `last`, in their order.
    func names(after last: String, limit: Int) async -> [String] {
        var names: Set<String> = []
        for hosted in hosted { names.formUnion(await hosted.names(after: last, limit: limit)) }
        for member in members { names.formUnion(await member.names(after: last, limit: limit)) }
        let sorted = names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        return Array(sorted.prefix(limit))
    }

    /// The manifest of a tag or digest.
    package func manifest(
        _ name: RepositoryName, _ reference: Reference, isHead: Bool = false
    ) async throws(RegistryError) -> ManifestAnswer {
        let unowned = UnownedName(name, in: hosted, content)
        let owned = try await owned(name) { owner throws(RegistryError) in
            try await owner.manifest(name, reference, isHead: isHead)
        }
        if let owned { return owned }
        for member in members {
            let local = await member.localManifest(name, reference, while: unowned)
            if let local { return local }
        }
        var answer = try await firstOf(ordered(name, reference), name) {
            member, bound throws(RegistryError) in
            try await member.manifest(name, reference, within: bound)
        }
        answer.again = nil
        return answer
    }

    /// The blob, complete or growing.
    package func blob(
        _ name: RepositoryName, _ digest: Digest
    ) async throws(RegistryError) -> BlobAnswer {
        let unowned = UnownedName(name, in: hosted, content)
        let owned = try await owned(name) { owner throws(RegistryError) in
            try await owner.blob(name, digest)
        }
        if let owned { return owned }
        for member in members {
            let local = await member.localBlob(name, digest, while: unowned)
            if let local { return local }
        }
        var answer = try await firstOf(ordered(name, .digest(digest)), name) {
            member, bound throws(RegistryError) in
            try await member.blob(name, digest, within: bound)
        }
        answer.again = nil
        return answer
    }

    /// What HEAD of a blob answers.
    package func blobHead(
        _ name: RepositoryName, _ digest: Digest
    ) async throws(RegistryError) -> BlobHead {
        if let local = try await localBlobHead(name, digest) { return local }
        return try await firstOf(ordered(name, .digest(digest)), name) {
            member, bound throws(RegistryError) in
            try await member.blobHead(name, digest, within: bound)
        }
    }

    /// What HEAD of a blob answers whoever is about to push it: what only an upstream has would not
    /// be here for the manifest that needs it.
    package func storedBlobHead(
        _ name: RepositoryName, _ digest: Digest
    ) async throws(RegistryError) -> BlobHead {
        guard let local = try await localBlobHead(name, digest) else { throw .notFound }
        return local
    }

    private func localBlobHead(
        _ name: RepositoryName, _ digest: Digest
    ) async throws(RegistryError) -> BlobHead? {
        let owned = try await owned(name) { owner throws(RegistryError) in
            try await owner.blobHead(name, digest)
        }
        if let owned { return owned }
        for member in members {
            if let stored = try? await member.storedBlobHead(name, digest) { return stored }
        }
        return nil
    }

    /// The tags of all members that know the name, each once.
    package func tags(_ name: RepositoryName) async throws(RegistryError) -> TagsAnswer {
        let owners = owners(of: name)
        var merged: Set<Tag> = []
        for owner in owners { merged.formUnion(try await owner.tags(name).tags) }
        if !owners.isEmpty { return TagsAnswer(tags: merged.sorted(), outcome: .hit) }
        var outcome: CacheOutcome?
        var failure = RegistryError.notFound
        let deadline = content.loop.now + ProxyPolicy.answerBound
        for (index, member) in members.enumerated() {
            do throws(RegistryError) {
                let bound = share(of: deadline, among: members.count - index)
                let answer = try await member.tags(name, within: bound)
                merged.formUnion(answer.tags)
                outcome = outcome ?? answer.outcome
            } catch {
                failure = Self.worse(failure, error)
            }
        }
        guard let outcome else { throw verdict(failure) }
        return TagsAnswer(tags: merged.sorted(), outcome: outcome)
    }

    /// What refers to a manifest, as all members together know it.
    ///
    /// Where pushes go, "nothing was pushed that does" is an answer; but not while a member is in
    /// trouble that may know better.
    package func referrers(
        _ name: RepositoryName, _ query: ReferrersQuery
    ) async throws(RegistryError) -> ReferrersAnswer {
        let owners = owners(of: name)
        if !owners.isEmpty { return await HostedRepository.referrers(of: owners, name, query) }
        var lists: [(descriptors: [Descriptor], hasMore: Bool)] = []
        var outcome: CacheOutcome?
        var failure = RegistryError.notFound
        let deadline = content.loop.now + ProxyPolicy.answerBound
        for (index, member) in ordered(name, .digest(query.subject)).enumerated() {
            do throws(RegistryError) {
                let bound = share(of: deadline, among: members.count - index)
                let found = try await member.referrers(of: query.subject, name, within: bound)
                lists.append((found.descriptors, false))
                outcome = outcome ?? found.outcome
            } catch {
                failure = Self.worse(failure, error)
            }
        }
        let isAnswer = !hosted.isEmpty && !failure.isTrouble
        guard let outcome = outcome ?? (isAnswer ? .hit : nil) else { throw verdict(failure) }
        return await content.workers.run { [lists] in
            ReferrersList(merging: lists).page(query, outcome)
        }
    }

    /// Members in the order to ask: those that know the tag, where the name was found, the rest.
    ///
    /// A tag stays with the member that gave it, though another tag of the same name was found
    /// elsewhere since: what a tag means must not depend on what else was pulled.
    private func ordered(_ name: RepositoryName, _ reference: Reference) -> [ProxyRepository] {
        let located = content.located(self.name, name)
        let known = members.filter { $0.knows(name, reference) }
        let rest = members.filter { !$0.knows(name, reference) }
        return known + rest.filter { $0.name == located } + rest.filter { $0.name != located }
    }

    private func firstOf<T: Sendable>(
        _ members: [ProxyRepository], _ name: RepositoryName,
        _ ask: (ProxyRepository, Duration) async throws(RegistryError) -> T
    ) async throws(RegistryError) -> T {
        var failure = RegistryError.notFound
        let deadline = content.loop.now + ProxyPolicy.answerBound
        for (index, member) in members.enumerated() {
            do throws(RegistryError) {
                let answer = try await ask(
                    member, share(of: deadline, among: members.count - index))
                await content.locate(self.name, name, in: member.name)
                return answer
            } catch {
                failure = Self.worse(failure, error)
            }
        }
        throw verdict(failure)
    }

    /// What to say when nobody has it.
    ///
    /// Whoever may push it has to hear that it is not there, which Docker Hub says of unknown names
    /// by denying them.
    private func verdict(_ failure: RegistryError) -> RegistryError {
        guard pushTo != nil, case .denied(let registry, let status) = failure else {
            return failure
        }
        return .notHere(registry: registry, status: status)
    }

    /// How long the next of `count` members may take, so that the whole group answers in time
    /// (UP-2): half of what is left, all of it for the last.
    private func share(of deadline: Instant, among count: Int) -> Duration {
        let left = max(deadline - content.loop.now, .zero)
        return count > 1 ? left / 2 : left
    }

    /// What a group answers when nobody has it: trouble, since it may be there, before "denied",
    /// before "not found".
    private static func worse(_ left: RegistryError, _ right: RegistryError) -> RegistryError {
        func rank(_ error: RegistryError) -> Int {
            if case .offline = error { return 0 }
            if error.isTrouble { return 2 }
            if case .denied = error { return 1 }
            return 0
        }
        return rank(right) > rank(left) ? right : left
    }
}

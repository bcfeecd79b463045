import OCI
import Reactor
import Upstream

/// Asks a proxy's upstream whether a name has what is stored already because of another name.
///
/// Knowing a digest is no right to read it, and neither is a manifest that names it: whoever
/// publishes one may write any digest into it. Only the upstream's word for just this name counts
/// (AUTH-1); a HEAD, which nobody counts.
actor Vouching {
    enum Thing: Hashable, Sendable {
        case blob(Digest)
        case manifest(Digest)
        case tag(Tag)
    }

    private struct Key: Hashable, Sendable {
        let name: RepositoryName
        let thing: Thing
    }

    /// Asked for one manifest: more than any real image has.
    private static let childrenMax = 256
    /// An index of indexes of images.
    private static let depthMax = 3

    private let source: BlobFetch.Source
    private var running: [Key: Promise<Fetched<Void>>] = [:]

    init(_ source: BlobFetch.Source) {
        self.source = source
    }

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        source.content.loop.asUnownedSerialExecutor()
    }

    /// Returns when the upstream has `thing` under `name`; many who ask at once are one request.
    func ask(
        _ thing: Thing, of name: RepositoryName, within bound: Duration = ProxyPolicy.answerBound
    ) async throws(RegistryError) {
        let key = Key(name: name, thing: thing)
        let promise = running[key] ?? start(key)
        let answer = await promise.value(within: bound, on: source.content.loop)
        guard let answer else { throw .timedOut(registry: source.registry) }
        try answer.get()
    }

    private func start(_ key: Key) -> Promise<Fetched<Void>> {
        let promise = Promise<Fetched<Void>>()
        running[key] = promise
        source.content.loop.spawn { [self] in
            var answer = Fetched<Void>.success(())
            do throws(RegistryError) {
                _ = try await source.head(key.thing.resource(of: key.name))
            } catch {
                answer = .failure(error)
            }
            await finish(key, promise, answer)
        }
        return promise
    }

    private func finish(_ key: Key, _ promise: Promise<Fetched<Void>>, _ answer: Fetched<Void>) {
        running[key] = nil
        promise.fulfil(answer)
    }

    /// Asks for all that a new manifest names and that is here because of other names.
    ///
    /// Clients do not ask for a layer that they have, so without this an image that shares one with
    /// another could not be pulled as a whole once the upstream is gone.
    func ask(forAllBelow manifest: Digest, of name: RepositoryName) async {
        await ask(forAllBelow: manifest, of: name, depth: 0)
    }

    private func ask(forAllBelow manifest: Digest, of name: RepositoryName, depth: Int) async {
        let content = source.content
        guard depth < Self.depthMax else { return }
        for child in content.children(of: manifest).prefix(Self.childrenMax) {
            guard content.isStored(child), !content.isLinked(source.scope, name, child),
                content.mayBeShown(child, onTheWordOf: source.scope)
            else { continue }
            let isManifest = content.stored(child) != nil
            do throws(RegistryError) {
                try await ask(isManifest ? .manifest(child) : .blob(child), of: name)
            } catch {
                if error.isTrouble { return }
                continue
            }
            await content.link(source.scope, name, child)
            if isManifest { await ask(forAllBelow: child, of: name, depth: depth + 1) }
        }
    }
}

extension Vouching.Thing {
    fileprivate func resource(of name: RepositoryName) -> UpstreamRequest.Resource {
        switch self {
        case .blob(let digest): .blob(name, digest)
        case .manifest(let digest): .manifest(name, .digest(digest))
        case .tag(let tag): .manifest(name, .tag(tag))
        }
    }
}

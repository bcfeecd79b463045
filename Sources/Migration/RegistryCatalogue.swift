import OCI
import Reactor

/// Everything of a registry: by its catalogue, or of the names that are given.
struct RegistryCatalogue: Catalogue {
    /// A name of the source, and what it is called at the destination.
    struct Pair: Sendable {
        let name: RepositoryName
        let target: RepositoryName
    }

    let source: RemoteRegistry
    let destination: RegistryAddress
    /// Only these; nil for the whole catalogue.
    var pairs: [Pair]?
    var filter = NameFilter()
    let pacer: Pacer
    let scoreboard: Scoreboard
    /// Lists of tags that are asked for at a time.
    var jobs = 4

    func list(_ found: Findings) async throws(CopyFailure) {
        let pairs: [Pair]
        if let given = self.pairs {
            pairs = given.filter { filter.takes($0.name) }
        } else {
            pairs = try await all(found)
        }
        let queue = WorkQueue(pairs)
        await withTaskGroup { group in
            for _ in 0..<max(1, jobs) {
                group.addTask {
                    while !Task.isCancelled, let (_, pair) = queue.next() {
                        await listTags(pair, found)
                    }
                }
            }
        }
    }

    /// The whole catalogue.
    private func all(_ found: Findings) async throws(CopyFailure) -> [Pair] {
        var pairs: [Pair] = []
        var link: String?
        var pages = PageCount(.source, "catalogue")
        repeat {
            let page = try await pacer.attempt { [link] () throws(CopyFailure) in
                try await source.names(after: link)
            }
            for name in page.invalid {
                let why = CopyFailure.Cause.local(
                    "it is no valid name", fix: "push it again under a valid one")
                try await found.failed(name, CopyFailure(.source, name, why))
            }
            for name in page.names where filter.takes(name) {
                guard let target = destination.name(of: name) else {
                    try await found.failed(name.text, Self.tooLong(name))
                    continue
                }
                pairs.append(Pair(name: name, target: target))
            }
            guard pairs.count <= Findings.imagesMax else {
                throw CopyFailure(.source, "catalogue", .bound("it has no end"))
            }
            scoreboard.listing("names: \(pairs.count) so far")
            link = page.next
            if let link { try pages.count(link) }
        } while link != nil
        return pairs
    }

    static func tooLong(_ name: RepositoryName) -> CopyFailure {
        CopyFailure(
            .source, name.text,
            .local("its name would be too long", fix: "a destination with a shorter path"))
    }

    private func listTags(_ pair: Pair, _ found: Findings) async {
        do throws(CopyFailure) {
            var link: String?
            var pages = PageCount(.source, "tags of \(pair.name)")
            repeat {
                let page = try await pacer.attempt { [link] () throws(CopyFailure) in
                    try await source.tags(pair.name, after: link)
                }
                try await found.add(
                    page.tags.map { tag in
                        ImageItem(
                            source: source, name: pair.name, reference: .tag(tag),
                            target: pair.target, targetReference: .tag(tag),
                            isOfWholeName: true)
                    })
                link = page.next
                if let link { try pages.count(link) }
            } while link != nil
        } catch {
            try? await found.failed(pair.target.text, error)
        }
    }
}

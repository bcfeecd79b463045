import Access
import HTTP
import OCI
import Registry
import Server

/// `/v2/_catalog`: the names that can be pulled from here, page by page (protocol.md §1.5).
///
/// That is what was pushed, and what proxies have tags of.
///
/// Nobody is asked for it, and what a caller may not pull is not in it.
struct Catalog {
    private static let countMax = 1000
    private static let countUnasked = 100
    /// Names looked at together, however few are asked for: the caller may see few of them.
    private static let namesPerLook = 256

    private let request: Request
    private let gate: Gate
    private let sources: [(repository: Repository, prefix: String)]

    init(_ request: Request, _ table: RoutingTable, _ route: Route, _ gate: Gate) {
        self.request = request
        self.gate = gate
        sources = table.catalogued(listener: request.listener.name, prefix: route.prefix)
    }

    func answer() async -> Answer {
        let target = request.head.target
        let count: Int
        switch PageNumber(target, max: Self.countMax) {
        case .none: count = Self.countUnasked
        case .count(let asked): count = asked
        case .wrong: return PageNumber.refusal
        }
        let last = target.first("last") ?? ""
        var names: Set<String> = []
        for source in sources {
            names.formUnion(await page(of: source.repository, source.prefix, after: last, count))
        }
        let page = names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.prefix(count)
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("repositories")
            writer.array { writer in for name in page { writer.string(name) } }
        }
        var fields = Answer.commonFields
        fields.append("Content-Type", MediaType.json)
        if names.count > page.count, let end = page.last {
            let path = PercentEncoding.encodePath(target.path)
            let query = "n=\(count)&last=\(PercentEncoding.encode(end))"
            fields.append("Link", LinkHeader.build(next: "\(path)?\(query)"))
        }
        return Answer(Response(status: 200, fields: fields, body: .bytes(writer.bytes)))
    }

    /// Names of one repository behind `last` that the caller may pull, one more than asked for.
    private func page(
        of repository: Repository, _ prefix: String, after last: String, _ count: Int
    ) async -> [String] {
        var start: String
        if last.hasPrefix(prefix) {
            start = String(last.dropFirst(prefix.count))
        } else if last.utf8.lexicographicallyPrecedes(prefix.utf8) {
            start = ""
        } else {
            return []
        }
        var found: [String] = []
        let limit = max(count + 1, Self.namesPerLook)
        while found.count <= count {
            let names = await repository.names(after: start, limit: limit)
            found += names.filter { isShown($0, repository, prefix) }
            guard let end = names.last, names.count == limit else { break }
            start = end
        }
        return found.prefix(count + 1).map { prefix + $0 }
    }

    /// Whether the caller may pull this, and is not shown it by a shorter name already.
    private func isShown(_ name: String, _ repository: Repository, _ prefix: String) -> Bool {
        guard gate.lists(repository.name, name) else { return false }
        guard !prefix.isEmpty, let root = sources.first, root.prefix.isEmpty,
            case .group(let group) = root.repository, group.isOver(repository.name)
        else { return true }
        return !gate.lists(group.name, name)
    }
}

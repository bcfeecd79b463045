import Access
import HTTP
import OCI
import Registry
import Server

/// `/v2/_catalog`: the names under which something was pushed, page by page (protocol.md §1.5).
///
/// What is cached of other registries is not listed: it comes and goes by itself.
struct Catalog {
    private static let countMax = 1000
    private static let countUnasked = 100

    private let request: Request
    private let gate: Gate
    private let sources: [(repository: HostedRepository, prefix: String)]

    init(_ request: Request, _ table: RoutingTable, _ route: Route, _ gate: Gate) {
        self.request = request
        self.gate = gate
        sources = table.hosted(listener: request.listener.name, prefix: route.prefix)
    }

    func answer() async -> Answer {
        let target = request.head.target
        var count = Self.countUnasked
        if let text = target.first("n") {
            guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
                return .error(400, .paginationNumberInvalid, "n is not a number")
            }
            count = min(Int(text) ?? .max, Self.countMax)
        }
        let last = target.first("last") ?? ""
        var names: Set<String> = []
        for (repository, prefix) in sources {
            names.formUnion(await page(of: repository, prefix, after: last, count))
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
        of repository: HostedRepository, _ prefix: String, after last: String, _ count: Int
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
        while found.count <= count {
            let names = await repository.names(after: start, limit: count + 1)
            found += names.filter { gate.allows(.pull, repository.name, $0) }
            guard let end = names.last, names.count > count else { break }
            start = end
        }
        return found.prefix(count + 1).map { prefix + $0 }
    }
}

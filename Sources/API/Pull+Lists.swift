import HTTP
import OCI
import Registry
import Server
import Telemetry

/// Lists of tags and of referrers, page by page.
extension Pull {
    /// A page of the tags in ASCII order (OCI "Listing Tags"); `n` is clamped (RES-3).
    func tags() async -> Answer {
        let target = request.head.target
        let count: Int
        switch PageNumber(target, max: Self.pageMax) {
        case .none: count = Self.pageMaxUnasked
        case .count(let asked): count = asked
        case .wrong: return PageNumber.refusal
        }
        var answer: Answer
        do throws(RegistryError) {
            let found = try await repository.tags(name)
            let list = TagList(name: name.text, tags: found.tags)
            let page = list.page(
                after: target.first("last"), count: count)
            var fields = listFields(found.outcome)
            fields.append("Content-Type", TagList.contentType)
            if page.more, let last = page.tags.tags.last {
                fields.append(
                    "Link", link([("n", "\(min(count, Self.pageMax))"), ("last", last.text)]))
            }
            answer = Answer(
                Response(status: 200, fields: fields, body: .bytes(page.tags.encode())))
            answer.outcome = found.outcome
        } catch {
            answer = .failure(error, missing: .nameUnknown, what: name.text)
        }
        answer.kind = .tagList
        return answer
    }

    /// Most tags of one page.
    private static let pageMax = 1000
    /// Most tags when the client names no number: all, for nearly every name.
    private static let pageMaxUnasked = 10_000

    /// A page of the manifests that refer to another (OCI "Listing Referrers").
    func referrers(_ text: Substring) async -> Answer {
        let target = request.head.target
        guard let digest = Digest(parsing: text) else {
            return .error(400, .digestInvalid, "the digest is not valid")
        }
        let last = target.first("last")
        var query = ReferrersQuery(
            digest, artifactType: target.first("artifactType"),
            last: last.flatMap { Digest(parsing: $0) })
        guard last == nil || query.last != nil else {
            return .error(400, .digestInvalid, "last is not a digest")
        }
        switch PageNumber(target, max: ReferrersQuery.countMax) {
        case .none: break
        case .count(let count): query.count = max(count, 1)
        case .wrong: return PageNumber.refusal
        }
        var answer: Answer
        do throws(RegistryError) {
            let found = try await repository.referrers(name, query)
            var fields = listFields(found.outcome)
            fields.append("Content-Type", ReferrersIndex.contentType)
            if query.artifactType != nil { fields.append("OCI-Filters-Applied", "artifactType") }
            if let next = found.next { fields.append("Link", link(to: next, query)) }
            answer = Answer(Response(status: 200, fields: fields, body: .bytes(found.bytes)))
            answer.outcome = found.outcome
        } catch {
            answer = .failure(
                error, missing: .manifestUnknown, what: describe(.digest(digest)))
        }
        answer.kind = .referrers
        answer.reference = digest.description
        return answer
    }

    private func link(to next: Digest, _ query: ReferrersQuery) -> String {
        var parameters = [("last", next.description)]
        if query.count < ReferrersQuery.countMax { parameters.append(("n", "\(query.count)")) }
        if let type = query.artifactType { parameters.append(("artifactType", type)) }
        return link(parameters)
    }

    /// The next page of this list; with the registry that the client asks for, if it says one.
    private func link(_ parameters: [(String, String)]) -> String {
        let target = request.head.target
        let all = parameters + (target.first("ns").map { [("ns", $0)] } ?? [])
        let query = all.map { "\($0.0)=\(PercentEncoding.encode($0.1))" }.joined(separator: "&")
        return LinkHeader.build(next: "\(PercentEncoding.encodePath(target.path))?\(query)")
    }
}

/// How many a client wants of a list at a time; never more than a bound (RES-3).
enum PageNumber {
    case none
    case count(Int)
    case wrong

    init(_ target: RequestTarget, max: Int) {
        guard let text = target.first("n") else {
            self = .none
            return
        }
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            self = .wrong
            return
        }
        self = .count(min(Int(text) ?? .max, max))
    }

    static var refusal: Answer { .error(400, .paginationNumberInvalid, "n is not a number") }
}

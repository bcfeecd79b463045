import HTTP
import OCI
import Upstream

/// The lists of a registry: its names, and each name's tags.
extension RemoteRegistry {
    private static let pageSize = 1000

    /// One page of the catalogue, from the start or where the page before led.
    ///
    /// What is no valid name is given as it stands.
    func names(
        after link: String?
    ) async throws(CopyFailure) -> (names: [RepositoryName], invalid: [String], next: String?) {
        let what = "catalogue"
        let place: RegistryCall.Place = link.map { .link($0) } ?? .path("v2/_catalog?n=1000")
        let response = try await send(
            RegistryCall(.get, place, fields: ["Accept: application/json"]), what)
        guard response.status == 200 else {
            throw await ErrorAnswer.failure(response, side, what)
        }
        let document = try await json(response, what)
        guard document.object != nil else {
            throw CopyFailure(side, what, .transport(.badResponse("it is no catalogue")))
        }
        let listed = (document["repositories"]?.array ?? []).map { $0.string ?? "" }
        let names = listed.compactMap { RepositoryName(parsing: $0) }
        let invalid = listed.filter { RepositoryName(parsing: $0) == nil }
        return (names, invalid.map { ErrorAnswer.shown($0) }, response.next)
    }

    /// One page of a name's tags; a name without any may not be there at all.
    func tags(
        _ name: RepositoryName, after link: String?
    ) async throws(CopyFailure) -> (tags: [Tag], next: String?) {
        let what = "tags of \(name)"
        let resource: UpstreamRequest.Resource =
            link.map { .next(name, link: $0) }
            ?? .tags(name, limit: Self.pageSize, last: nil)
        let response = try await send(UpstreamRequest(.get, resource), what)
        if response.status == 404, link == nil {
            response.body.cancel()
            return ([], nil)
        }
        guard response.status == 200 else {
            throw await ErrorAnswer.failure(response, side, what)
        }
        let bytes = try await collect(response, what, limit: Self.pageBytesMax)
        guard let list = try? TagList.parse(bytes) else {
            throw CopyFailure(side, what, .transport(.badResponse("it is no list of tags")))
        }
        return (list.tags, response.next)
    }

    func json(
        _ response: UpstreamResponse, _ what: String
    ) async throws(CopyFailure) -> JSONValue {
        let bytes = try await collect(response, what, limit: Self.pageBytesMax)
        do throws(JSONError) {
            return try JSONValue.parse(bytes)
        } catch {
            throw CopyFailure(side, what, .transport(.badResponse("it is no JSON")))
        }
    }
}

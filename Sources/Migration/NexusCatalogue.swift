import HTTP
import OCI
import Reactor
import Upstream

/// The images of a Nexus, by its REST API (`/service/rest/v1/components`); their content is read
/// through `/repository/NAME/v2/`, so that no connector's port is needed.
struct NexusCatalogue: Catalogue {
    private static let tokenBytesMax = 4096

    /// One repository of the Nexus: what lists it, what its images are read from, where they go.
    struct Part: Sendable {
        let repository: String
        let source: RemoteRegistry
        let destination: RegistryAddress
    }

    /// The Nexus itself.
    let nexus: RemoteRegistry
    let parts: [Part]
    var filter = NameFilter()
    /// Only what was changed on this day or later, as `2026-01-31`.
    var since: String?
    let pacer: Pacer

    func list(_ found: Findings) async throws(CopyFailure) {
        for part in parts { try await list(part, found) }
    }

    private func list(_ part: Part, _ found: Findings) async throws(CopyFailure) {
        var token: String?
        var pages = PageCount(.source, "components of \(part.repository)")
        repeat {
            let page = try await pacer.attempt { [token] () throws(CopyFailure) in
                try await nexus.components(part.repository, after: token)
            }
            for component in page.components { try await add(component, part, found) }
            token = page.token
            if let token {
                guard token.utf8.count <= Self.tokenBytesMax else {
                    throw CopyFailure(
                        .source, "components of \(part.repository)",
                        .bound("its continuation token is too long"))
                }
                try pages.count(token)
            }
        } while token != nil
    }

    private func add(
        _ component: NexusComponent, _ part: Part, _ found: Findings
    ) async throws(CopyFailure) {
        guard component.isDocker else { return }
        if let since, let changed = component.changed, changed < since { return }
        guard let name = RepositoryName(parsing: component.name),
            let reference = Reference(parsing: component.version)
        else {
            let label = ErrorAnswer.shown("\(component.name):\(component.version)")
            let why = CopyFailure.Cause.local(
                "it is no valid name", fix: "push it again under a valid one")
            try await found.failed(label, CopyFailure(.source, label, why))
            return
        }
        guard filter.takes(name) else { return }
        guard let target = part.destination.name(of: name) else {
            try await found.failed(name.text, RegistryCatalogue.tooLong(name))
            return
        }
        try await found.add([
            ImageItem(
                source: part.source, name: name, reference: reference, target: target,
                targetReference: reference)
        ])
    }
}

/// What the REST API says of one image.
struct NexusComponent: Sendable {
    var name: String
    /// The tag; the digest of an image without one.
    var version: String
    var isDocker: Bool
    /// When any part of it was changed last, as `2026-01-31T…`.
    var changed: String?

    init(_ item: JSONValue) {
        name = item["name"]?.string ?? ""
        version = item["version"]?.string ?? ""
        isDocker = item["format"]?.string == "docker"
        let times = (item["assets"]?.array ?? []).compactMap { $0["lastModified"]?.string }
        changed = times.max()
    }
}

/// What a Nexus is asked.
extension RemoteRegistry {
    /// One page of a repository's components, and the token of the next.
    func components(
        _ repository: String, after token: String?
    ) async throws(CopyFailure) -> (components: [NexusComponent], token: String?) {
        var path = "service/rest/v1/components?repository=\(PercentEncoding.encode(repository))"
        if let token { path += "&continuationToken=\(PercentEncoding.encode(token))" }
        let document = try await rest(path, "components of \(repository)")
        let items = (document["items"]?.array ?? []).map { NexusComponent($0) }
        return (items, document["continuationToken"]?.string)
    }

    /// The names of all hosted repositories of images.
    func hostedRepositories() async throws(CopyFailure) -> [String] {
        let document = try await rest("service/rest/v1/repositories", "list of repositories")
        return (document.array ?? []).compactMap { item in
            item["format"]?.string == "docker" && item["type"]?.string == "hosted"
                ? item["name"]?.string : nil
        }
    }

    private func rest(_ path: String, _ what: String) async throws(CopyFailure) -> JSONValue {
        var call = RegistryCall(.get, .path(path), fields: ["Accept: application/json"])
        call.showsLogin = true
        let response = try await send(call, what)
        guard response.status == 200 else {
            throw await ErrorAnswer.failure(response, side, what)
        }
        return try await json(response, what)
    }
}

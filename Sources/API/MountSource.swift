import Access
import HTTP
import OCI
import Registry
import Server

/// Where a mount takes its blob from: only from what the caller may read (AUTH-1).
struct MountSource {
    let request: Request
    let route: Route
    let table: RoutingTable
    let gate: Gate
    /// The repository that the blob is mounted into.
    let target: HostedRepository
    /// The repository that the request is addressed to: `target`, or a group in front of it.
    let addressed: String

    /// Looks where the request says the blob is, or, if it does not say, anywhere in the same
    /// repository.
    func find(_ digest: Digest) async -> Push.Mount {
        guard let from = route.mountSource(request) else {
            // Whoever does not say from where has no token for there.
            let isShown = target.names(showing: digest).contains {
                gate.allows(.pull, target.name, $0.text, alsoAs: "\(addressed)/\($0)")
            }
            return isShown ? .possible : .impossible
        }
        let found = table.select(
            listener: request.listener.name, prefix: route.prefix,
            name: Substring(from),
            namespace: request.head.target.first("ns"))
        guard let found,
            let name = RepositoryName(parsing: found.name),
            gate.mayAtAll(.pull, found.repository.name, name.text),
            await found.repository.has(digest, under: name)
        else { return .impossible }
        if gate.allows(.pull, found.repository.name, name.text) { return .possible }
        let scopes = [
            Gate.scope(route.name, .push), Gate.scope(from, .pull),
        ]
        return .refused(gate.tooNarrow(scopes.compactMap(\.self)))
    }
}

extension Route {
    /// The name that a mount says its blob is under.
    func mountSource(_ request: Request) -> String? {
        guard case .upload(nil) = resource, request.head.method == .post,
            request.head.target.first("mount") != nil,
            let from = request.head.target.first("from"), !from.isEmpty
        else { return nil }
        return from
    }
}

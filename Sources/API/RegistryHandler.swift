package import Access
package import HTTP
import OCI
import Reactor
import Registry
package import Server
import Synchronization
import Telemetry

/// The distribution API over the configured repositories: the one translator between HTTP and
/// Registry.
package final class RegistryHandler: RequestHandler {
    private let table: Mutex<RoutingTable>
    private let control: Mutex<AccessControl>
    private let observer: RequestObserver
    /// How often rights and repositories have been replaced.
    private let replacements = Atomic<UInt64>(0)

    package init(
        table: RoutingTable, control: AccessControl = .open, observer: RequestObserver
    ) {
        self.table = Mutex(table)
        self.control = Mutex(control)
        self.observer = observer
    }

    /// Takes a new configuration; requests under way keep the old one.
    package func replace(table: RoutingTable, control: AccessControl) {
        // Rights first, so that no request meets a new repository with the old ones.
        self.control.withLock { $0 = control }
        self.table.withLock { $0 = table }
        replacements.add(1, ordering: .sequentiallyConsistent)
    }

    /// The repository of that name, or of the registry of that name.
    func repository(named name: Substring) -> Repository? {
        table.withLock { $0 }.named(name)
    }

    package func respond(to request: Request) async -> Response {
        let route = Route(path: request.head.target.path)
        let label = route?.label ?? .other
        observer.began(label)
        let replacement = self.replacement
        let answer = await Requester.$client.withValue(request.client) {
            await self.answer(request, route)
        }
        let observation = observer.observation(of: answer, label, request.head.method)
        var response = observation.complete(answer.response, to: request)
        if let source = answer.again, source.isRepeatable(request.head) {
            response.repetition = RepeatedAnswer(
                source, observation, by: self, since: replacement)
        }
        return response
    }

    /// Another number after each replacement of rights and repositories.
    var replacement: UInt64 { replacements.load(ordering: .sequentiallyConsistent) }

    /// Manifests and blobs that are pushed.
    package func takesBody(of head: RequestHead) -> Bool {
        guard let route = Route(path: head.target.path) else { return false }
        switch (head.method, route.resource) {
        case (.put, .manifest), (.post, .upload), (.patch, .upload), (.put, .upload): return true
        case (.post, .token): return true
        default: return false
        }
    }

    /// The digest of a blob.
    package func part(of head: UnsafeRawBufferPointer) -> Range<Int>? {
        RepeatedAnswer.digits(in: head)
    }

    package func refuse(_ error: RequestError, _ context: RefusalContext) -> Response {
        observer.refuse(error, context)
    }

    // MARK: - Routing

    private func answer(_ request: Request, _ route: Route?) async -> Answer {
        guard let route else {
            return .error(404, .unknown, "no such path; registries are served below /v2/")
        }
        let control = self.control.withLock { $0 }
        if case .token = route.resource {
            return await TokenEndpoint(control: control).answer(request)
        }
        let gate: Gate
        switch await Gate.approach(request, control) {
        case .gate(let open): gate = open
        case .answer(let answer): return answer
        }
        var answer = await answer(request, route, gate)
        answer.user = gate.caller.principal.shown
        return answer
    }

    private func answer(_ request: Request, _ route: Route, _ gate: Gate) async -> Answer {
        let target = request.head.target
        let namespaces = target.all("ns")
        guard namespaces.count <= 1 else {
            return .error(400, .nameUnknown, "the parameter ns is given more than once")
        }
        let table = self.table.withLock { $0 }
        if case .base = route.resource {
            guard request.isRead else { return methodRefused() }
            return gate.refusalAtBase() ?? base(request, route, namespaces.first, table)
        }
        if case .unknown = route.resource {
            return gate.refusalOfStranger()
                ?? .error(404, .unknown, "no such resource of the distribution API")
        }
        if case .catalog = route.resource {
            let scope = TokenScope.catalog.text
            if let refusal = gate.refusalOfStranger(scope: scope) { return refusal }
            guard request.isRead else { return methodRefused() }
            return await Catalog(request, table, route, gate).answer()
        }
        guard
            let selection = table.select(
                listener: request.listener.name, prefix: route.prefix, name: route.name,
                namespace: namespaces.first)
        else {
            return gate.refusalOfStranger() ?? unknownRepository(route, namespaces.first, table)
        }
        let action = route.action(request.head.method)
        // Whoever pushes to a group pushes to what takes it there. What takes nothing says so to
        // all who may look at it (AUTH-10).
        let changes = action ?? .pull
        let pushed = changes == .pull ? nil : selection.repository.pushTarget?.name
        let refusal = gate.refusal(
            pushed == nil ? .pull : changes, pushed ?? selection.repository.name,
            selection.name, clientName: route.name, source: route.mountSource(request))
        if var refusal {
            refusal.repository = selection.repository.name
            return refusal
        }
        guard action != nil else { return methodRefused() }
        return await answer(request, route, selection, table, gate)
    }

    private func answer(
        _ request: Request, _ route: Route, _ selection: RoutingTable.Selection,
        _ table: RoutingTable, _ gate: Gate
    ) async -> Answer {
        guard let name = RepositoryName(parsing: selection.name) else {
            return .error(400, .nameInvalid, "the repository name is not valid")
        }
        let repository: Repository
        switch await ClientView.find(selection.repository, request) {
        case .repository(let found): repository = found
        case .answer(let answer): return answer
        }
        var answer: Answer
        if route.changes(request.head.method) {
            answer = await push(request, route, repository, name, table, gate)
        } else {
            answer = await pull(request, route, repository, name, gate)
            // Who has logged in is asked for it each time (AUTH-5).
            if request.head.headers.contains("Authorization") { answer.again = nil }
        }
        if selection.repository.passesLoginsOn {
            answer = ClientView.challenging(answer, request, repository.name)
        }
        answer.repository = selection.repository.name
        answer.name = name.text
        if let namespace = selection.namespace {
            answer.response.fields.append("OCI-Namespace", namespace)
        }
        return answer
    }

    private func pull(
        _ request: Request, _ route: Route, _ repository: Repository, _ name: RepositoryName,
        _ gate: Gate
    ) async -> Answer {
        var pull = Pull(request: request, repository: repository, name: name)
        if request.head.method == .head, case .group = repository,
            let target = repository.pushTarget
        {
            pull.isBeforePush = gate.allows(
                .push, target.name, name.text, alsoAs: "\(repository.name)/\(name)")
        }
        switch route.resource {
        case .manifest(let text): return await pull.manifest(text)
        case .blob(let text): return await pull.blob(text)
        case .tags: return await pull.tags()
        case .referrers(let text): return await pull.referrers(text)
        default: return methodRefused()
        }
    }

    private func push(
        _ request: Request, _ route: Route, _ repository: Repository, _ name: RepositoryName,
        _ table: RoutingTable, _ gate: Gate
    ) async -> Answer {
        guard let hosted = repository.pushTarget else { return methodRefused() }
        let push = Push(
            request: request, hosted: hosted, name: name, base: route.base,
            user: gate.caller.principal.identifier,
            offer: { digest in
                guard case .group = repository, gate.allows(.pull, repository.name, name.text)
                else { return false }
                return await repository.has(digest, under: name)
            })
        var answer = await self.push(push, route, repository.name, table, gate)
        if request.body != nil { answer.received = Int64(push.received.value) }
        return answer
    }

    private func push(
        _ push: Push, _ route: Route, _ addressed: String, _ table: RoutingTable, _ gate: Gate
    ) async -> Answer {
        let request = push.request
        switch (request.head.method, route.resource) {
        case (.put, .manifest(let text)): return await push.manifest(text)
        case (.delete, .manifest(let text)): return await push.deleteManifest(text)
        case (.delete, .blob(let text)): return await push.deleteBlob(text)
        case (.post, .upload(nil)):
            let source = MountSource(
                request: request, route: route, table: table, gate: gate, target: push.hosted,
                addressed: addressed)
            return await push.begin { await source.find($0) }
        case (.patch, .upload(let id?)): return await push.patch(id)
        case (.put, .upload(let id?)): return await push.close(id)
        case (.get, .upload(let id?)), (.head, .upload(let id?)): return await push.status(id)
        case (.delete, .upload(let id?)): return await push.cancel(id)
        default:
            return .error(405, .unsupported, "this resource has no such method")
        }
    }

    // MARK: - Fixed answers

    private func base(
        _ request: Request, _ route: Route, _ namespace: String?, _ table: RoutingTable
    ) -> Answer {
        let listener = request.listener.name
        let isKnown: Bool
        if route.prefix != nil || namespace != nil {
            // A name to look for, since the base has none of its own.
            isKnown =
                table.select(
                    listener: listener, prefix: route.prefix, name: "-", namespace: namespace)
                != nil
        } else {
            isKnown = true
        }
        guard isKnown else { return unknownRepository(route, namespace, table) }
        if table.wantsLogins(listener: listener, prefix: route.prefix, namespace: namespace),
            !ClientView.hasLogin(request)
        {
            return ClientView.challenge(
                "this cache passes logins on; without one only public "
                    + "images can be pulled")
        }
        var fields = Answer.commonFields
        fields.append("Content-Type", MediaType.json)
        return Answer(Response(status: 200, fields: fields, body: .bytes(Array("{}".utf8))))
    }

    /// Proxies and groups of proxies are read-only (AUTH-10).
    private func methodRefused() -> Answer {
        var answer = Answer.error(
            405, .unsupported, "proxy repositories are read-only: only GET and HEAD are served")
        answer.response.fields.append("Allow", "GET, HEAD")
        return answer
    }

    private func unknownRepository(
        _ route: Route, _ namespace: String?, _ table: RoutingTable
    ) -> Answer {
        let served = table.registryNames.joined(separator: ", ")
        if let namespace {
            return .error(
                404, .nameUnknown,
                "this cache has no proxy for \"\(namespace.prefix(100))\"; add a repository with "
                    + "type = \"proxy\" and registry = \"\(namespace.prefix(100))\"",
                reason: "no proxy for this registry", detail: [("served", served)])
        }
        return .error(
            404, .nameUnknown,
            "the request names no repository of this cache; begin the image name with a registry "
                + "or repository, as in /v2/docker.io/library/alpine",
            detail: [("served", served)])
    }
}

extension Request {
    fileprivate var isRead: Bool { head.method == .get || head.method == .head }
}

extension Route {
    /// The metric label of the route.
    var label: RouteLabel {
        switch resource {
        case .base: .base
        case .manifest: .manifest
        case .blob: .blob
        case .tags: .tagList
        case .referrers: .referrers
        case .upload: .upload
        case .token: .token
        default: .other
        }
    }
}

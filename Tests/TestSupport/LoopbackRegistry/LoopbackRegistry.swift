/// A scripted upstream on loopback that acts as Docker Hub, as quay.io or as a plain registry.
///
/// It counts and records every request, and spoils answers by rules. Its token server and its
/// CDN listen on ports of their own, so they are other origins, as in the real world.
package final class LoopbackRegistry: Sendable {
    /// Whose manners the registry has (protocol.md §2.3, §2.4).
    package enum Persona: Sendable {
        /// No authentication, blobs served directly.
        case plain
        /// Token server on another origin, blobs by 307 to a CDN that refuses `Authorization`.
        case dockerHub
        /// Token at `/v2/auth` of the same origin without `expires_in`, blobs by 302 to a CDN.
        case quay
        /// `Basic` credentials on each request, blobs served directly.
        case basic
    }

    package let persona: Persona
    package let state: Monitor<UpstreamState>
    package let registry: LoopbackServer
    package let token: LoopbackServer
    package let cdn: LoopbackServer
    /// A host that nobody should ever talk to.
    package let evil: LoopbackServer

    package init(_ persona: Persona = .plain) throws {
        let state = Monitor(UpstreamState(persona: persona))
        func serve(_ role: WireRequest.Role) throws -> LoopbackServer {
            try LoopbackServer { request in
                var request = request
                request.role = role
                return state.with { $0.respond(to: request) }
            }
        }
        self.persona = persona
        self.state = state
        registry = try serve(.registry)
        token = try serve(.token)
        cdn = try serve(.cdn)
        evil = try serve(.evil)
        let urls = (registry.url, token.url, cdn.url)
        state.with { $0.place(registry: urls.0, token: urls.1, cdn: urls.2) }
    }

    /// `http://127.0.0.1:PORT`, for `upstream = …`.
    package var url: String { registry.url }
    /// `127.0.0.1:PORT`, for clients that want no scheme.
    package var authority: String { "\(registry.address):\(registry.port)" }
    /// The token realm, for `realms = […]`.
    package var realm: String { state.read { $0.realm } }

    /// Ends all listeners and connections: the upstream is gone.
    package func stop() {
        for server in [registry, token, cdn, evil] { server.stop() }
    }

    /// Listens again on the same ports.
    package func start() throws {
        for server in [registry, token, cdn, evil] { try server.start() }
    }

    // MARK: - Contents

    /// Puts an image under `repository`, with tags for its index.
    package func add(_ image: ImageFixture, _ repository: String, tags: [String] = ["latest"]) {
        state.with { state in
            for blob in image.blobs { state.blobs[blob.digest] = blob }
            for document in image.documents { state.add(document, to: repository) }
            for tag in tags { state.repositories[repository]?.tags[tag] = image.index.digest }
        }
    }

    /// Puts one manifest of any type under `repository`.
    package func add(
        _ document: ImageFixture.Document, _ repository: String, tags: [String] = [],
        algorithm: MessageDigest.Algorithm = .sha256
    ) {
        state.with { state in
            state.add(document, to: repository, algorithm)
            let digest = document.content.digest(algorithm)
            for tag in tags { state.repositories[repository]?.tags[tag] = digest }
        }
    }

    /// Puts a blob where all repositories of this registry can read it.
    package func add(_ blob: TestContent, algorithm: MessageDigest.Algorithm = .sha256) {
        let digest = blob.digest(algorithm)
        state.with { $0.blobs[digest] = blob }
    }

    /// Takes a blob away, with what was asked of it, so that long runs do not pile up.
    package func forget(_ blob: TestContent) {
        let digest = blob.digest
        state.with { state in
            state.blobs[digest] = nil
            state.requests.removeAll { $0.target.contains(digest) }
        }
    }

    /// Moves or (with nil) removes a tag.
    package func tag(_ repository: String, _ tag: String, _ digest: String?) {
        state.with { $0.repositories[repository, default: .init()].tags[tag] = digest }
    }

    // MARK: - Script

    /// Spoils requests whose target contains `part`, as `FaultRule` says.
    package func inject(
        _ faults: UpstreamFault..., on part: String, method: String? = "GET",
        role: WireRequest.Role? = nil, after: Int = 0, times: Int? = nil
    ) {
        let rule = FaultRule(
            faults, on: part, method: method, role: role, after: after, times: times)
        state.with { $0.rules.append(rule) }
    }

    /// Spoils one request by several faults at once, as `FaultRule` says.
    package func inject(
        _ faults: [UpstreamFault], on part: String, method: String? = "GET", after: Int = 0,
        times: Int? = nil
    ) {
        let rule = FaultRule(faults, on: part, method: method, after: after, times: times)
        state.with { $0.rules.append(rule) }
    }

    /// Ends all faults.
    package func heal() { state.with { $0.rules.removeAll() } }

    // MARK: - Records

    /// All requests so far, in order of arrival.
    package var requests: [WireRequest] { state.read { $0.requests } }

    /// The requests whose target contains `part`.
    package func requests(
        _ part: String, method: String? = nil, role: WireRequest.Role? = nil
    ) -> [WireRequest] {
        requests.filter { $0.matches(part, method, role) }
    }

    /// How many requests have a target that contains `part`.
    package func count(
        _ part: String = "", method: String? = nil, role: WireRequest.Role? = nil
    ) -> Int {
        requests(part, method: method, role: role).count
    }

    /// Waits until `count` requests match.
    @discardableResult
    package func await(
        _ count: Int, _ part: String, method: String? = nil, role: WireRequest.Role? = nil,
        within limit: Duration = .seconds(60)
    ) -> Bool {
        state.wait(limit) { state in
            state.requests.count { $0.matches(part, method, role) } >= count
        }
    }

    package func forgetRequests() { state.with { $0.requests.removeAll() } }
}

extension WireRequest {
    fileprivate func matches(_ part: String, _ method: String?, _ role: Role?) -> Bool {
        (part.isEmpty || target.contains(part)) && (method ?? self.method) == self.method
            && (role ?? self.role) == self.role
    }
}

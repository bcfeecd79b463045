/// What the scripted upstream holds and how it answers; pure, behind `LoopbackRegistry`'s lock.
package struct UpstreamState: Sendable {
    /// One repository's names.
    package struct Repository: Sendable {
        package var manifests: [String: ImageFixture.Document] = [:]
        package var tags: [String: String] = [:]
        package var referrers: [String: String] = [:]
    }

    package let persona: LoopbackRegistry.Persona
    package var repositories: [String: Repository] = [:]
    package var blobs: [String: TestContent] = [:]
    package var rules: [FaultRule] = []
    package var requests: [WireRequest] = []

    /// User and password that give access to everything; nil lets everybody in.
    package var credentials: (user: String, password: String)?
    /// Manifest GETs allowed; HEADs and blobs are free, as on Docker Hub.
    package var rateLimit = 100
    package var pullsCounted = 0
    /// `expires_in` of tokens; nil leaves it out.
    package var tokenLifetime: Int?
    /// Tags in one page of the list.
    package var pageSize = 1000
    /// Whether `GET …/referrers/…` exists.
    package var hasReferrers = true

    private(set) var realm = ""
    private var registryURL = ""
    private var cdnURL = ""
    private var tokens: [String: String] = [:]
    private var tokensIssued = 0

    init(persona: LoopbackRegistry.Persona) {
        self.persona = persona
        tokenLifetime = persona == .dockerHub ? 300 : nil
    }

    mutating func place(registry: String, token: String, cdn: String) {
        registryURL = registry
        cdnURL = cdn
        realm = persona == .quay ? "\(registry)/v2/auth" : "\(token)/token"
    }

    mutating func add(
        _ document: ImageFixture.Document, to repository: String,
        _ algorithm: MessageDigest.Algorithm = .sha256
    ) {
        let digest = document.content.digest(algorithm)
        repositories[repository, default: .init()].manifests[digest] = document
    }

    /// Forgets all tokens, so that those in use are refused from now on.
    package mutating func revokeTokens() { tokens.removeAll() }

    // MARK: - Answers

    mutating func respond(to request: WireRequest) -> ResponsePlan {
        requests.append(request)
        var plan = honestAnswer(to: request)
        for index in rules.indices where rules[index].takes(request) {
            for fault in rules[index].faults { fault.apply(to: &plan, request: request) }
        }
        return plan
    }

    private mutating func honestAnswer(to request: WireRequest) -> ResponsePlan {
        switch request.role {
        case .evil: ResponsePlan(status: 200, body: TestContent("{}"))
        case .token: issueToken(request)
        case .cdn: cdnAnswer(request)
        case .registry: registryAnswer(request)
        }
    }

    /// A CDN with pre-signed addresses: a second way to authenticate is an error.
    private func cdnAnswer(_ request: WireRequest) -> ResponsePlan {
        if request["Authorization"] != nil {
            return .failure(400, "INVALID", "only one auth mechanism allowed")
        }
        guard request.query("signature") == ["s3cret-signature"] else {
            return .failure(403, "DENIED", "signature missing")
        }
        let digest = String(request.path.split(separator: "/").last ?? "")
        guard let blob = blobs[digest] else { return .failure(404, "BLOB_UNKNOWN", "no blob") }
        return serve(blob, [("Content-Type", "application/octet-stream")], request, digest)
    }

    private mutating func registryAnswer(_ request: WireRequest) -> ResponsePlan {
        if persona == .quay, request.path == "/v2/auth" { return issueToken(request) }
        guard request.path.hasPrefix("/v2/") else { return .failure(404, "NOT_FOUND", "no page") }
        let parts = request.path.dropFirst(4).split(separator: "/").map(String.init)
        let verbs: Set<String> = ["manifests", "blobs", "tags", "referrers"]
        guard parts.count >= 3, verbs.contains(parts[parts.count - 2]) else {
            return refusal(request, scope: nil) ?? ResponsePlan(body: TestContent("{}"))
        }
        let name = parts.dropLast(2).joined(separator: "/")
        if let refusal = refusal(request, scope: "repository:\(name):pull") { return refusal }
        var plan = content(parts[parts.count - 2], name, parts[parts.count - 1], request)
        plan.set("Docker-Distribution-Api-Version", "registry/2.0")
        return plan
    }

    private mutating func content(
        _ verb: String, _ name: String, _ last: String, _ request: WireRequest
    ) -> ResponsePlan {
        switch verb {
        case "manifests": manifest(name, last, request)
        case "blobs": blob(last, request)
        case "tags": tagList(name, request)
        default: referrers(name, last)
        }
    }

    private mutating func manifest(
        _ name: String, _ reference: String, _ request: WireRequest
    ) -> ResponsePlan {
        if persona == .dockerHub, request.method == "GET" {
            if pullsCounted >= rateLimit {
                return .failure(429, "TOOMANYREQUESTS", "You have reached your pull rate limit.")
            }
            pullsCounted += 1
        }
        let repository = repositories[name]
        let digest = repository?.tags[reference] ?? reference
        guard let document = repository?.manifests[digest] else {
            return .failure(404, "MANIFEST_UNKNOWN", "manifest unknown")
        }
        // As distribution does: without the type in Accept the manifest is not found (§1.8).
        let accepted = request.all("Accept").joined(separator: ",")
        guard accepted.contains(document.mediaType) || accepted.contains("*/*") else {
            return .failure(404, "MANIFEST_UNKNOWN", "type \(document.mediaType) not accepted")
        }
        var plan = serve(
            document.content, [("Content-Type", document.mediaType)], request, digest)
        plan.set("Docker-Content-Digest", digest)
        if persona == .dockerHub {
            plan.set("ratelimit-limit", "\(rateLimit);w=21600")
            plan.set("ratelimit-remaining", "\(rateLimit - pullsCounted);w=21600")
            plan.set("docker-ratelimit-source", "127.0.0.1")
        }
        return plan
    }

    private func blob(_ digest: String, _ request: WireRequest) -> ResponsePlan {
        guard let blob = blobs[digest] else { return .failure(404, "BLOB_UNKNOWN", "no blob") }
        let location = "\(cdnURL)/data/\(digest)?signature=s3cret-signature"
        switch persona {
        case .dockerHub:
            return ResponsePlan(status: 307, [("Location", location)], body: TestContent(""))
        case .quay where request.method == "GET":
            return ResponsePlan(status: 302, [("Location", location)], body: TestContent(""))
        default:
            var plan = serve(
                blob, [("Content-Type", "application/octet-stream")], request, digest)
            plan.set("Docker-Content-Digest", digest)
            return plan
        }
    }

    private func tagList(_ name: String, _ request: WireRequest) -> ResponsePlan {
        guard let repository = repositories[name] else {
            return .failure(404, "NAME_UNKNOWN", "repository name not known")
        }
        let last = request.query("last").first ?? ""
        let count = min(pageSize, request.query("n").first.flatMap { Int($0) } ?? pageSize)
        let rest = repository.tags.keys.filter { $0 > last }.sorted()
        let page = rest.prefix(count)
        let list = page.map { #""\#($0)""# }.joined(separator: ",")
        var plan = ResponsePlan(
            [("Content-Type", "application/json")],
            body: TestContent(#"{"name":"\#(name)","tags":[\#(list)]}"#))
        if page.count < rest.count, let end = page.last {
            plan.set("Link", "</v2/\(name)/tags/list?n=\(count)&last=\(end)>; rel=\"next\"")
        }
        return plan
    }

    private func referrers(_ name: String, _ digest: String) -> ResponsePlan {
        guard hasReferrers else { return .failure(404, "NOT_FOUND", "404 page not found") }
        let list = repositories[name]?.referrers[digest] ?? ""
        let type = "application/vnd.oci.image.index.v1+json"
        let json = #"{"schemaVersion":2,"mediaType":"\#(type)","manifests":[\#(list)]}"#
        return ResponsePlan([("Content-Type", type)], body: TestContent(json))
    }

    /// The body or the part of it that `Range` asks for.
    private func serve(
        _ content: TestContent, _ fields: [(String, String)], _ request: WireRequest,
        _ digest: String
    ) -> ResponsePlan {
        var plan = ResponsePlan(fields, body: content)
        plan.set("ETag", "\"\(digest)\"")
        plan.set("Accept-Ranges", "bytes")
        guard let range = request.range else { return plan }
        if let condition = request["If-Range"], condition != "\"\(digest)\"" { return plan }
        guard range.first < content.size else {
            var plan = ResponsePlan.failure(416, "RANGE_INVALID", "no such range")
            plan.set("Content-Range", "bytes */\(content.size)")
            return plan
        }
        let last = min(range.last ?? content.size - 1, content.size - 1)
        plan.status = 206
        plan.reason = "Partial Content"
        plan.range = range.first..<(max(last, range.first) + 1)
        plan.set("Content-Range", "bytes \(range.first)-\(last)/\(content.size)")
        return plan
    }

    // MARK: - Authentication

    /// A 401 unless the request carries what this persona wants.
    private func refusal(_ request: WireRequest, scope: String?) -> ResponsePlan? {
        let authorization = request["Authorization"] ?? ""
        switch persona {
        case .plain: return nil
        case .basic:
            if let credentials, authorization == basic(credentials) { return nil }
            return challenge(#"Basic realm="scripted registry""#)
        case .dockerHub, .quay:
            let granted = authorization.hasPrefix("Bearer ") ? tokens[token(authorization)] : nil
            if let granted, scope == nil || granted == scope { return nil }
            let service = persona == .quay ? "quay.io" : "registry.docker.io"
            let wanted = scope.map { #",scope="\#($0)""# } ?? ""
            return challenge(#"Bearer realm="\#(realm)",service="\#(service)"\#(wanted)"#)
        }
    }

    private func token(_ authorization: String) -> String { String(authorization.dropFirst(7)) }

    private func challenge(_ text: String) -> ResponsePlan {
        var plan = ResponsePlan.failure(401, "UNAUTHORIZED", "authentication required")
        plan.set("WWW-Authenticate", text)
        plan.set("Docker-Distribution-Api-Version", "registry/2.0")
        return plan
    }

    private func basic(_ credentials: (user: String, password: String)) -> String {
        "Basic " + base64("\(credentials.user):\(credentials.password)")
    }

    private mutating func issueToken(_ request: WireRequest) -> ResponsePlan {
        if let credentials, request["Authorization"] != basic(credentials) {
            return .failure(401, "UNAUTHORIZED", "wrong credentials")
        }
        guard let scope = request.query("scope").first else {
            return .failure(401, "UNAUTHORIZED", "no scope asked for")
        }
        tokensIssued += 1
        let token = "token-\(tokensIssued)-c4n4ry"
        tokens[token] = scope
        let life = tokenLifetime.map { #","expires_in":\#($0)"# } ?? ""
        return ResponsePlan(
            [("Content-Type", "application/json")],
            body: TestContent(#"{"token":"\#(token)"\#(life)}"#))
    }
}

/// Base64 as `Basic` credentials need it.
package func base64(_ text: String) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    let bytes = Array(text.utf8)
    var result: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: 3) {
        let group = bytes[start..<min(start + 3, bytes.count)]
        var bits = group.reduce(0) { $0 << 8 | Int($1) }
        bits <<= 8 * (3 - group.count)
        for position in 0..<4 {
            let isPadding = position > group.count
            result.append(
                isPadding ? UInt8(ascii: "=") : alphabet[bits >> (18 - 6 * position) & 63])
        }
    }
    return String(decoding: result, as: UTF8.self)
}

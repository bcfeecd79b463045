import OCI
import Reactor

/// One request as it goes from hop to hop and from challenge to challenge: all that stays the same.
struct Conversation {
    let method: UpstreamRequest.Method
    let chain: RedirectChain
    /// Whose scope the token is asked for; empty for the registry as a whole.
    let name: String
    /// Another image that has to be readable; empty if there is none.
    var origin = ""
    /// Header lines but the credential's.
    let fields: [String]
    var offset: Int64 = 0
    var isManifest = false
    var mayBeRedirected = false
    var patience: Duration?
    var showsLogin = false
    private var content = RegistryCall.Body.none

    init(
        _ request: UpstreamRequest, _ builder: RequestBuilder, hopsMax: Int
    ) throws(UpstreamError) {
        method = request.method
        name = builder.name(of: request.resource.repository)
        chain = RedirectChain(from: try builder.url(for: request.resource), hopsMax: hopsMax)
        fields = builder.fields(for: request)
        offset = request.offset
        isManifest = request.resource.isManifest
        mayBeRedirected = request.resource.mayBeRedirected
    }

    init(_ call: RegistryCall, _ builder: RequestBuilder, hopsMax: Int) throws(UpstreamError) {
        method = call.method
        name = call.name.map { builder.name(of: $0) } ?? ""
        var lines = ["Accept-Encoding: identity"] + call.fields
        switch call.place {
        case .path(let path):
            chain = RedirectChain(from: try builder.url(path: path), hopsMax: hopsMax)
        case .link(let link):
            var chain = RedirectChain(from: builder.settings.base, hopsMax: hopsMax + 1)
            try chain.follow(location: link)
            self.chain = chain
        }
        // Without it libcurl would wait for a 100 that many servers never send.
        if method == .post || method == .put { lines.append("Expect:") }
        fields = lines
        content = call.body
        patience = call.patience
        showsLogin = call.showsLogin
        origin = call.origin.map { builder.name(of: $0) } ?? ""
    }

    /// Whether the body can be sent again.
    var isRepeatable: Bool {
        if case .stream = content { false } else { true }
    }

    /// The body of one exchange.
    func body(now: Instant) -> OutgoingBody? {
        switch content {
        case .none: nil
        case .bytes(let bytes):
            OutgoingBody(MemoryBody(bytes), length: Int64(bytes.count), now: now)
        case .stream(let source, let length): OutgoingBody(source, length: length, now: now)
        }
    }
}

extension UpstreamRequest.Resource {
    /// Blobs are on CDNs; registry.k8s.io has its manifests elsewhere, too (CRED-3).
    fileprivate var mayBeRedirected: Bool {
        switch self {
        case .manifest, .blob: true
        case .tags, .referrers, .next: false
        }
    }

    fileprivate var isManifest: Bool {
        if case .manifest = self { true } else { false }
    }
}

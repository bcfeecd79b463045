import TestSupport

/// A Nexus as far as its interface is used: `/service/rest/v1` lists, `/repository/NAME/v2/` reads.
///
/// Without its login the lists are empty, as for anonymous users of a real one, and content is
/// refused with a `Basic` challenge.
final class NexusImitation: Sendable {
    static let login = "mover:nexus-secret"
    private static let basic = "Basic " + base64(login)

    struct Image: Sendable {
        let repository: String
        let name: String
        let tag: String
        let fixture: ImageFixture
        /// When it was changed last.
        var changed = "2026-02-01T10:00:00.000+00:00"
    }

    let server: LoopbackServer
    private let requests: Monitor<[WireRequest]>
    var url: String { "\(server.url)/nexus" }
    var targets: [String] { requests.read { $0.map(\.target) } }

    /// `repeatsToken` gives the same continuation token for ever.
    init(_ images: [Image], repeatsToken: Bool = false) throws {
        let log = Monitor<[WireRequest]>([])
        requests = log
        server = try LoopbackServer { request in
            log.with { $0.append(request) }
            guard request.path.hasPrefix("/nexus/") else {
                return .failure(404, "NOT_FOUND", "not here")
            }
            let isKnown = request["Authorization"] == Self.basic
            let path = String(request.path.dropFirst(6))
            if path.hasPrefix("/service/rest/v1/") {
                return Self.rest(path, request, isKnown ? images : [], repeatsToken)
            }
            guard isKnown else {
                return ResponsePlan(
                    status: 401,
                    [("WWW-Authenticate", "BASIC realm=\"Sonatype Nexus Repository Manager\"")],
                    body: TestContent(""))
            }
            return Self.content(path, images)
        }
    }

    private static func json(_ text: String) -> ResponsePlan {
        ResponsePlan([("Content-Type", "application/json")], body: TestContent(text))
    }

    /// Two components a page; the token is where the next one starts.
    private static func rest(
        _ path: String, _ request: WireRequest, _ images: [Image], _ repeatsToken: Bool
    ) -> ResponsePlan {
        if path.hasSuffix("/repositories") {
            let names = Set(images.map(\.repository)).sorted()
            let hosted = names.map { #"{"name":"\#($0)","format":"docker","type":"hosted"}"# }
            let others = [
                #"{"name":"docker-proxy","format":"docker","type":"proxy"}"#,
                #"{"name":"maven-releases","format":"maven2","type":"hosted"}"#,
            ]
            return json("[\((hosted + others).joined(separator: ","))]")
        }
        let repository = request.query("repository").first ?? ""
        let own = images.filter { $0.repository == repository }
        let start = request.query("continuationToken").first.flatMap { Int($0) } ?? 0
        let items = own.dropFirst(start).prefix(2).map { image in
            let path = "v2/\(image.name)/manifests/\(image.tag)"
            return #"{"id":"x","repository":"\#(repository)","format":"docker","group":null,"#
                + #""name":"\#(image.name)","version":"\#(image.tag)","assets":[{"path":"\#(path)","#
                + #""lastModified":"\#(image.changed)"}]}"#
        }
        let next = start + 2 < own.count ? "\"\(start + 2)\"" : "null"
        let token = repeatsToken ? "\"1\"" : next
        return json(
            #"{"items":[\#(items.joined(separator: ","))],"continuationToken":\#(token)}"#)
    }

    /// Manifests and blobs below `/repository/R/v2/NAME`.
    private static func content(_ path: String, _ images: [Image]) -> ResponsePlan {
        for image in images {
            let base = "/repository/\(image.repository)/v2/\(image.name)/"
            guard path.hasPrefix(base) else { continue }
            let reference = String(path.split(separator: "/").last ?? "")
            if path.contains("/blobs/"),
                let blob = image.fixture.blobs.first(where: { $0.digest == reference })
            {
                return ResponsePlan(
                    [("Content-Type", "application/octet-stream")], body: blob)
            }
            guard path.contains("/manifests/") else { continue }
            let wanted = reference == image.tag ? image.fixture.index.digest : reference
            guard let found = image.fixture.documents.first(where: { $0.digest == wanted }) else {
                continue
            }
            return ResponsePlan(
                [("Content-Type", found.mediaType), ("Docker-Content-Digest", found.digest)],
                body: found.content)
        }
        return .failure(404, "MANIFEST_UNKNOWN", "manifest unknown")
    }
}

import OCI
import TestSupport

/// A registry in memory that asks nobody who he is; names have one component.
final class MemoryRegistry: Sendable {
    /// What it can and does not.
    struct Manners: Sendable {
        var hasReferrers = true
        /// The status that a mount is refused with.
        var mountRefusal: Int?
    }

    private struct State {
        var manifests: [String: [UInt8]] = [:]
        var blobs: [String: [UInt8]] = [:]
    }

    let manners: Manners
    private let state = Monitor(State())
    private let server: LoopbackServer

    init(_ manners: Manners = Manners()) throws {
        self.manners = manners
        let state = state
        server = try LoopbackServer { request in
            let parts = request.path.split(separator: "/").map(String.init)
            guard parts.count >= 4, parts[0] == "v2" else { return ResponsePlan(status: 404) }
            let place = "\(parts[1]) \(parts[3])"
            return state.with { state in
                switch (request.method, parts[2]) {
                case ("GET", "manifests"), ("HEAD", "manifests"):
                    Self.manifest(state.manifests[place])
                case ("PUT", "manifests"):
                    Self.put(request, parts[1], parts[3], manners, &state)
                case ("GET", "tags"): Self.tags(parts[1], state)
                case ("GET", "referrers"):
                    manners.hasReferrers
                        ? Self.referrers(parts[1], parts[3], state) : ResponsePlan(status: 404)
                case ("POST", "blobs"):
                    if let status = manners.mountRefusal, !request.query("mount").isEmpty {
                        ResponsePlan.failure(status, "DENIED", "no mounts")
                    } else {
                        ResponsePlan(
                            status: 202, [("Location", "/v2/\(parts[1])/blobs/uploads/1")])
                    }
                case ("PUT", "blobs"): Self.take(request, parts[1], &state)
                default:
                    state.blobs[place].map { ResponsePlan(body: TestContent($0)) }
                        ?? ResponsePlan(status: 404)
                }
            }
        }
    }

    var url: String { server.url }

    /// Keeps an image: a blob of this text, and a manifest that may have a subject.
    @discardableResult
    func add(_ name: String, _ tag: String?, _ text: String, subject: [UInt8]? = nil) -> [UInt8] {
        let blob = Array(text.utf8)
        let type = "application/vnd.oci.image.config.v1+json"
        let entry = Self.entry(blob, type)
        let tail = subject.map { ",\"subject\":\(Self.entry($0, MediaType.ociManifest))" } ?? ""
        let manifest = Array(
            ("{\"schemaVersion\":2,\"mediaType\":\"\(MediaType.ociManifest)\","
                + "\"config\":\(entry),\"layers\":[\(entry)]\(tail)}").utf8)
        state.with { $0.blobs["\(name) \(MessageDigest.of(blob))"] = blob }
        keep(name, tag, manifest)
        return manifest
    }

    /// Keeps an index of manifests.
    func add(_ name: String, _ tag: String, indexOf manifests: [[UInt8]]) {
        let entries = manifests.map { Self.entry($0, MediaType.ociManifest) }
        keep(name, tag, Self.index(entries))
    }

    /// What it has by this tag or digest.
    func manifest(_ name: String, _ reference: String) -> [UInt8]? {
        state.read { $0.manifests["\(name) \(reference)"] }
    }

    func hasBlob(_ name: String, _ digest: String) -> Bool {
        state.read { $0.blobs["\(name) \(digest)"] != nil }
    }

    private func keep(_ name: String, _ tag: String?, _ manifest: [UInt8]) {
        state.with { state in
            state.manifests["\(name) \(MessageDigest.of(manifest))"] = manifest
            if let tag { state.manifests["\(name) \(tag)"] = manifest }
        }
    }

    static func index(_ entries: [String]) -> [UInt8] {
        Array(
            ("{\"schemaVersion\":2,\"mediaType\":\"\(MediaType.ociIndex)\","
                + "\"manifests\":[\(entries.joined(separator: ","))]}").utf8)
    }

    static func entry(_ bytes: [UInt8], _ type: String) -> String {
        "{\"mediaType\":\"\(type)\",\"digest\":\"\(MessageDigest.of(bytes))\","
            + "\"size\":\(bytes.count)}"
    }

    // MARK: - Answers

    private static func manifest(_ bytes: [UInt8]?) -> ResponsePlan {
        guard let bytes else { return ResponsePlan(status: 404) }
        let type = (try? Manifest.parse(bytes, contentType: nil))?.mediaType ?? ""
        return ResponsePlan(
            [("Content-Type", type), ("Docker-Content-Digest", MessageDigest.of(bytes))],
            body: TestContent(bytes))
    }

    private static func put(
        _ request: WireRequest, _ name: String, _ reference: String, _ manners: Manners,
        _ state: inout State
    ) -> ResponsePlan {
        let digest = MessageDigest.of(request.body)
        state.manifests["\(name) \(digest)"] = request.body
        state.manifests["\(name) \(reference)"] = request.body
        var answer = ResponsePlan(status: 201, [("Docker-Content-Digest", digest)])
        let subject = try? Manifest.parse(request.body, contentType: nil).subject
        if manners.hasReferrers { answer.set("OCI-Subject", subject.map { "\($0)" }) }
        return answer
    }

    private static func take(
        _ request: WireRequest, _ name: String, _ state: inout State
    ) -> ResponsePlan {
        let digest = MessageDigest.of(request.body)
        guard request.query("digest") == [digest] else { return ResponsePlan(status: 400) }
        state.blobs["\(name) \(digest)"] = request.body
        return ResponsePlan(status: 201)
    }

    private static func tags(_ name: String, _ state: State) -> ResponsePlan {
        let tags = state.manifests.keys.filter { $0.hasPrefix("\(name) ") && !$0.contains(":") }
            .map { "\"\($0.dropFirst(name.count + 1))\"" }.sorted()
        let list = "{\"name\":\"\(name)\",\"tags\":[\(tags.joined(separator: ","))]}"
        return ResponsePlan([("Content-Type", "application/json")], body: TestContent(list))
    }

    private static func referrers(
        _ name: String, _ subject: String, _ state: State
    ) -> ResponsePlan {
        let found = state.manifests.filter { place, bytes in
            guard place.hasPrefix("\(name) sha256:"),
                let manifest = try? Manifest.parse(bytes, contentType: nil)
            else { return false }
            return manifest.subject.map { "\($0)" } == subject
        }
        let entries = found.values.map { entry($0, MediaType.ociManifest) }
        return ResponsePlan(
            [("Content-Type", MediaType.ociIndex)], body: TestContent(index(entries)))
    }
}

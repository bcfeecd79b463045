import TestSupport
import Testing

/// `auth = "passthrough"`: clients' own logins, their own rights (AUTH-3, CRED-4, CRED-6).
@Suite("E33 passthrough", .realParts)
struct E33_PassthroughTests {
    private let image = ImageFixture(seed: 330)
    private static let ann = [("Authorization", "Basic " + base64("ann:s3cr3t-c4n4ry"))]
    private static let bob = [("Authorization", "Basic " + base64("bob:other-c4n4ry"))]
    private static let wrong = [("Authorization", "Basic " + base64("ann:wrong-c4n4ry"))]

    private func start(
        _ persona: LoopbackRegistry.Persona, _ extra: String = ""
    ) throws -> (LoopbackRegistry, DaemonProcess) {
        let upstream = try LoopbackRegistry(persona)
        if persona != .plain { upstream.state.with { $0.credentials = ("ann", "s3cr3t-c4n4ry") } }
        upstream.add(image, "library/a")
        let daemon = try DaemonProcess(
            DaemonConfiguration(
                upstream, extra: "auth = \"passthrough\"\n\(extra)",
                listener: "address = \"0.0.0.0:0\"\nhostnames = [\"*\"]"))
        return (upstream, daemon)
    }

    private var targets: [String] {
        let puller = Puller("", "/v2/docker.io/library/a")
        return image.blobs.map { puller.blob($0) }
            + (["latest"] + image.documents.map(\.digest)).map { puller.manifest($0) }
            + ["/v2/docker.io/library/a/tags/list"]
    }

    /// Statuses of a pull of everything, each once.
    private func statuses(
        _ daemon: DaemonProcess, _ login: [(String, String)], _ method: String = "GET"
    ) throws -> Set<Int> {
        let address = daemon.address.replacing("0.0.0.0", with: "127.0.0.1")
        return Set(
            try targets.map {
                try RawClient.request(address, $0, method: method, fields: login).status
            })
    }

    @Test(arguments: [LoopbackRegistry.Persona.basic, .dockerHub])
    func everyLoginSeesItsOwn(persona: LoopbackRegistry.Persona) throws {
        let (upstream, daemon) = try start(persona)
        for login in [[], Self.bob, Self.wrong] {
            #expect(try statuses(daemon, login).isSubset(of: [401, 403]), "before")
        }
        #expect(try statuses(daemon, Self.ann) == [200])
        let fetched = upstream.count("/manifests/", method: "GET", role: .registry)
        let blobs = upstream.count("/blobs/", method: "GET", role: .registry)
        let heads = upstream.count("", method: "HEAD")
        for _ in 0..<3 { #expect(try statuses(daemon, Self.ann) == [200]) }
        #expect(upstream.count("/manifests/", method: "GET", role: .registry) == fetched)
        #expect(upstream.count("/blobs/", method: "GET", role: .registry) == blobs)
        #expect(upstream.count("", method: "HEAD") <= heads + 1, "rights hold for a minute")
        for login in [[], Self.bob, Self.wrong] {
            for method in ["GET", "HEAD"] {
                #expect(try statuses(daemon, login, method).isSubset(of: [401, 403]), "cached")
            }
        }
        #expect(daemon.stop() == .exited(0))
        #expect(!daemon.log.contains("c4n4ry"))
        for login in [Self.ann, Self.bob, Self.wrong] {
            #expect(!daemon.log.contains(login[0].1.dropFirst(6)), "as it was sent")
        }
    }

    // What docker login, podman and containerd go by.
    @Test func clientsAreAskedForTheirLogin() throws {
        let (upstream, daemon) = try start(.basic)
        let address = daemon.address.replacing("0.0.0.0", with: "127.0.0.1")
        for target in ["/v2/", "/v2/?ns=docker.io", "/docker.io/v2/", targets[0]] {
            let answer = try RawClient.request(address, target)
            #expect(answer.status == 401, "\(target)")
            #expect(answer["WWW-Authenticate"] == #"Basic realm="cistern""#)
            #expect(answer.text.contains(#""code":"UNAUTHORIZED""#))
            let known = try RawClient.request(address, target, fields: Self.ann)
            #expect(known.status == 200, "\(target)")
            #expect(known["WWW-Authenticate"] == nil)
        }
        let bearer = [("Authorization", "Bearer abc")]
        #expect(try RawClient.request(address, targets[0], fields: bearer).status == 401)
        withExtendedLifetime(upstream) {}
    }

    @Test func whatIsPublicNeedsNoLogin() throws {
        let (upstream, daemon) = try start(.plain)
        #expect(try statuses(daemon, []) == [200])
        #expect(try statuses(daemon, Self.bob) == [200])
        upstream.stop()
        #expect(try statuses(daemon, []) == [200], "no right to ask about")
        let unknown = try statuses(daemon, Self.ann)
        #expect(unknown == [503])
    }

    // AUTH-3: allowed within the last minute, else nobody knows.
    @Test func withTheUpstreamGoneOnlyFreshRightsCount() throws {
        let (upstream, daemon) = try start(.basic)
        #expect(try statuses(daemon, Self.ann) == [200])
        upstream.stop()
        #expect(try statuses(daemon, Self.ann) == [200])
        for login in [Self.bob, Self.wrong] {
            #expect(try statuses(daemon, login).isSubset(of: [502, 503, 504]))
        }
    }

    // CRED-4: elsewhere nobody looks at what clients send.
    @Test func otherProxiesDoNotSeeLogins() throws {
        let upstream = try LoopbackRegistry()
        upstream.add(image, "library/a")
        let daemon = try DaemonProcess(DaemonConfiguration(upstream))
        for target in targets + ["/v2/"] {
            let answer = try RawClient.request(daemon.address, target, fields: Self.ann)
            #expect(answer.status == 200)
        }
        #expect(upstream.requests.allSatisfy { $0["Authorization"] == nil })
    }
}

import TestSupport
import Testing

/// Blobs that are taken from another name instead of being sent again (protocol.md §1.4).
@Suite("E81 mounts", .realParts)
struct E81_MountTests {
    private static let bytes = TestContent(seed: 81, size: 300_000).bytes
    private static let digest = MessageDigest.of(bytes)

    @Test(arguments: HostedScene.bases)
    func aBlobIsMountedFromAnotherName(base: String) throws {
        let scene = try HostedScene(base: base)
        try scene.push("a", blob: Self.bytes)
        for (name, query) in [
            ("b", "?mount=\(Self.digest)&from=releases/a"), ("c", "?mount=\(Self.digest)"),
        ] {
            let answer = try scene.request("POST", scene.target(name, "blobs/uploads/\(query)"))
            #expect(answer.status == 201, "\(answer)")
            try scene.expectBlob(name, Self.bytes)
        }
        // From where it is not there is none: then it is pushed.
        let target = scene.target("d", "blobs/uploads/?mount=\(Self.digest)&from=releases/x")
        #expect(try scene.request("POST", target).status == 202)
        #expect(try scene.get(scene.target("d", "blobs/\(Self.digest)")).status == 404)
    }

    // AUTH-1: knowing a digest is no right to read it.
    @Test(arguments: HostedScene.bases)
    func oneRepositoryDoesNotShowWhatIsInAnother(base: String) throws {
        let scene = try HostedScene(base: base)
        try scene.push("a", blob: Self.bytes)
        #expect(try scene.get("/v2/other/a/blobs/\(Self.digest)").status == 404)
        #expect(try scene.get("/v2/releases/b/blobs/\(Self.digest)").status == 404)
        let anonymous = "/v2/other/a/blobs/uploads/?mount=\(Self.digest)"
        #expect(try scene.request("POST", anonymous).status == 202)
    }

    // What the caller may not read it cannot mount, and cannot even find out about.
    @Test(arguments: HostedScene.bases)
    func nothingIsMountedFromWhatTheCallerMayNotRead(base: String) throws {
        let scene = try HostedScene(base: base)
        let uploads = scene.target("secret/a", "blobs/uploads/?digest=\(Self.digest)")
        #expect(try scene.request("POST", uploads, body: Self.bytes).status == 403)
        let pushed = try scene.request(
            "POST", uploads, body: Self.bytes, as: HostedScene.ownersLogin)
        #expect(pushed.status == 201)
        for from in ["", "&from=secret/a", "&from=releases/secret/a", "&from=secret/x"] {
            let target = scene.target("b", "blobs/uploads/?mount=\(Self.digest)\(from)")
            #expect(try scene.request("POST", target).status == 202, "\(from)")
        }
        let target = scene.target("b", "blobs/uploads/?mount=\(Self.digest)")
        #expect(try scene.request("POST", target, as: HostedScene.ownersLogin).status == 201)
    }

    // A token goes as far as it was asked for; whoever mounts is told to ask for the source, too.
    @Test(arguments: HostedScene.bases)
    func tokensHaveToBeGoodForTheSource(base: String) throws {
        let scene = try HostedScene(base: base)
        try scene.push("a", blob: Self.bytes)
        let place = base.dropFirst("/v2/".count)
        let (source, into) = ("\(place)a", "\(place)b")
        let scopes = ["repository:\(into):pull,push", "repository:\(source):pull"]
        let query = "blobs/uploads/?mount=\(Self.digest)"
        let target = scene.target("b", "\(query)&from=\(source)")
        let asked = "scope=\"\(scopes.joined(separator: " "))\""
        let stranger = try scene.request("POST", target, as: nil)
        #expect(stranger.status == 401)
        #expect(stranger["WWW-Authenticate"]?.contains(asked) == true, "\(stranger)")
        let narrow = try scene.token([scopes[0]])
        let refused = try scene.request("POST", target, as: narrow)
        #expect(refused.status == 401)
        #expect(refused["WWW-Authenticate"]?.contains(asked) == true, "\(refused)")
        // What is not there needs no other token, and neither does what is not said to be anywhere.
        let absent = scene.target("b", "\(query)&from=\(source)x")
        #expect(try scene.request("POST", absent, as: narrow).status == 202)
        #expect(try scene.request("POST", scene.target("b", query), as: narrow).status == 202)
        let wide = try scene.token([scopes.joined(separator: "+")])
        #expect(try scene.request("POST", target, as: wide).status == 201)
        #expect(try scene.request("POST", scene.target("b", query), as: wide).status == 201)
        try scene.expectBlob("b", Self.bytes)
    }
}

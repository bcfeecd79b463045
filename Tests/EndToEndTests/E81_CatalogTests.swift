import TestSupport
import Testing

/// `/v2/_catalog`: what there is to pull, of hosted repositories, proxies and groups.
@Suite("E81 catalog", .realParts)
struct E81_CatalogTests {
    private func names(_ scene: HostedScene, _ target: String) throws -> String {
        let answer = try scene.get(target)
        guard answer.status == 200 else { throw TestFailure("\(answer)") }
        return answer.text
    }

    @Test func whatWasPushedIsInTheCatalog() throws {
        let scene = try HostedScene()
        for name in ["b", "a/x", "c"] { try scene.push(name, blob: [1]) }
        let all = try scene.get("/v2/_catalog")
        #expect(all.text == "{\"repositories\":[\"a/x\",\"b\",\"c\"]}")
        let page = try scene.get("/v2/_catalog?n=2")
        #expect(page.text == "{\"repositories\":[\"a/x\",\"b\"]}")
        #expect(page["Link"]?.contains("last=b") == true)
        let rest = try scene.get("/v2/_catalog?n=2&last=b")
        #expect(rest.text == "{\"repositories\":[\"c\"]}")
        #expect(rest["Link"] == nil)
        #expect(try names(scene, "/v2/_catalog?n=0") == "{\"repositories\":[]}")
        #expect(try scene.get("/v2/_catalog?n=x").status == 400)
        #expect(try names(scene, "/releases/v2/_catalog") == all.text)
        #expect(try names(scene, "/other/v2/_catalog") == "{\"repositories\":[]}")
        let target = scene.target("c", "blobs/\(MessageDigest.of([1]))")
        #expect(try scene.request("DELETE", target).status == 202)
        #expect(try names(scene, "/v2/_catalog?last=a/x") == "{\"repositories\":[\"b\"]}")
    }

    // A group's is its members' together; a proxy has what was pulled by tag.
    @Test func whatWasPulledIsInItToo() throws {
        let scene = try HostedScene()
        let image = ImageFixture(seed: 860, layerSizes: [1000], architectures: ["amd64"])
        for name in ["library/b", "library/z", "a"] { scene.upstream.add(image, name) }
        try scene.push("b", blob: [1])
        try scene.push("library/z", blob: [1])
        for target in ["/v2/library/b/manifests/latest", "/up.example.org/v2/a/manifests/latest"] {
            #expect(try scene.get(target).status == 200)
        }
        let own = "\"a\",\"b\",\"library/b\",\"library/z\""
        #expect(try poll { try names(scene, "/v2/_catalog") == "{\"repositories\":[\(own)]}" })
        #expect(
            try names(scene, "/up.example.org/v2/_catalog")
                == "{\"repositories\":[\"a\",\"library/b\"]}")
        var (last, found): (String?, [String]) = ("", [])
        while let after = last, found.count < 10 {
            let page = try scene.get("/v2/_catalog?n=1&last=\(after)")
            let name = page.text.split(separator: "[\"").last?.prefix { $0 != "\"" }
            found.append(String(name ?? ""))
            last = page["Link"] == nil ? nil : found.last
        }
        #expect(found == ["a", "b", "library/b", "library/z"])
        let asked = scene.upstream.requests.filter { $0.target.contains("_catalog") }
        #expect(asked.isEmpty)
    }

    // A listener lists only what can be pulled from it, whatever stands in front of /v2/.
    @Test func aListenerListsNoRepositoryThatItDoesNotServe() throws {
        let upstream = try LoopbackRegistry()
        let image = ImageFixture(seed: 861, layerSizes: [1000], architectures: ["amd64"])
        upstream.add(image, "team/secret")
        let daemon = try DaemonProcess(
            DaemonConfiguration(
                [
                    DaemonConfiguration.proxy("private.example.org", upstream),
                    "[repositories.releases]\ntype = \"hosted\"",
                ], listeners: ["", "route = [\"root\"]\nrepository = \"releases\""]))
        let prefix = "/private.example.org/v2"
        func catalog(_ listener: Int) throws -> String {
            try RawClient.request(daemon.listeners[listener], "\(prefix)/_catalog").text
        }
        let pulled = "\(prefix)/team/secret/manifests/latest"
        #expect(try RawClient.request(daemon.listeners[0], pulled).status == 200)
        #expect(try poll { try catalog(0) == "{\"repositories\":[\"team/secret\"]}" })
        #expect(try catalog(1) == "{\"repositories\":[]}")
    }

    // AUTH-4: it shows what can be pulled, by whom and with what.
    @Test func nobodySeesNamesThatHeMayNotPull() throws {
        let scene = try HostedScene()
        let target = "/v2/releases/secret/a/blobs/uploads/?digest=\(MessageDigest.of([1]))"
        let pushed = try scene.request("POST", target, body: [1], as: HostedScene.ownersLogin)
        #expect(pushed.status == 201)
        try scene.push("b", blob: [1])
        func shown(_ login: (String, String)?) throws -> String {
            try scene.request("GET", "/v2/_catalog", as: login).text
        }
        let both = "{\"repositories\":[\"b\",\"secret/a\"]}"
        let one = "{\"repositories\":[\"b\"]}"
        #expect(try shown(HostedScene.ownersLogin) == both)
        #expect(try shown(HostedScene.login) == one)
        let token = try scene.token(["registry:catalog:*"])
        #expect(try shown(token) == one)
        #expect(try scene.request("GET", "/v2/b/tags/list", as: token).status == 401)
        #expect(try shown(try scene.token(["repository:x:pull"])) == "{\"repositories\":[]}")
        let stranger = try LoginScene(anonymous: "none")
        let answer = try RawClient.request(stranger.address, "/v2/_catalog")
        #expect(answer.status == 401)
        #expect(answer["WWW-Authenticate"]?.contains("scope=\"registry:catalog:*\"") == true)
    }

    // Tags in ASCII order, `last` exclusive and not needed to exist, no Link without another page.
    @Test(arguments: HostedScene.bases)
    func tagsComeInPages(base: String) throws {
        let scene = try HostedScene(base: base)
        let manifest = try scene.pushImage("a", "v1", seed: 20)
        for tag in ["B", "_x", "a", "b", "1.0"] {
            #expect(try scene.push("a", manifest: manifest, as: tag).status == 201)
        }
        func list(_ query: String) throws -> (tags: [String], link: String?) {
            let answer = try scene.get(scene.target("a", "tags/list\(query)"))
            guard answer.status == 200 else { throw TestFailure("\(answer)") }
            let text = answer.text.split(separator: "[").last?.prefix { $0 != "]" } ?? ""
            let tags = text.split(separator: ",").map { String($0.dropFirst().dropLast()) }
            return (tags, answer["Link"])
        }
        let all = ["1.0", "B", "_x", "a", "b", "v1"]
        #expect(try list("") == (all, nil))
        #expect(try list("?n=6") == (all, nil))
        #expect(try list("?n=0") == ([], nil))
        #expect(try list("?last=_x") == (["a", "b", "v1"], nil))
        #expect(try list("?last=C&n=1").tags == ["_x"])
        #expect(try list("?last=zzz&n=1") == ([], nil))
        let first = try list("?n=4")
        #expect(first.tags == Array(all[..<4]))
        let next = try #require(first.link?.dropFirst().prefix { $0 != ">" })
        #expect(first.link == "<\(next)>; rel=\"next\"")
        #expect(try scene.get(String(next)).text.contains("[\"b\",\"v1\"]"))
        for bad in ["?n=x", "?n=-1", "?n="] {
            #expect(try scene.get(scene.target("a", "tags/list\(bad)")).status == 400)
        }
        // Without a tag left there is an empty list, without anything left no such name.
        let digest = MessageDigest.of(manifest)
        let whole = scene.target("a", "manifests/\(digest)")
        #expect(try scene.request("DELETE", whole).status == 202)
        #expect(try list("") == ([], nil))
        #expect(try scene.get(scene.target("nobody", "tags/list")).status == 404)
    }
}

import TestSupport
import Testing

/// Which tags move, what may be deleted, and what stays (DUR-7).
@Suite("E81 rules of hosted repositories", .realParts)
struct E81_HostedRulesTests {
    private static let bytes = TestContent(seed: 81, size: 300_000).bytes
    private static let digest = MessageDigest.of(bytes)

    @Test(arguments: ["immutable", "immutable except latest", "mutable"])
    func tagsMoveAsTheRuleSays(rule: String) throws {
        let scene = try HostedScene("tags = \"\(rule)\"")
        let first = try scene.pushImage("a", "v1", seed: 5)
        #expect(try scene.push("a", manifest: first, as: "latest").status == 201)
        // The same again is no move.
        #expect(try scene.push("a", manifest: first, as: "v1").status == 201)
        let second = try scene.pushImage("a", "v2", seed: 6)
        let moved = try scene.push("a", manifest: second, as: "v1")
        #expect(moved.status == (rule == "mutable" ? 201 : 409), "\(moved.text)")
        let latest = try scene.push("a", manifest: second, as: "latest")
        #expect(latest.status == (rule == "immutable" ? 409 : 201))
        let now = try scene.get(scene.target("a", "manifests/v1")).body
        #expect(now == (rule == "mutable" ? second : first))
    }

    @Test(arguments: HostedScene.bases)
    func whatIsDeletedIsGone(base: String) throws {
        let scene = try HostedScene(base: base)
        let manifest = try scene.pushImage("a", "v1", seed: 7)
        let digest = MessageDigest.of(manifest)
        #expect(try scene.push("a", manifest: manifest, as: "v2").status == 201)
        let tag = scene.target("a", "manifests/v1")
        #expect(try scene.request("DELETE", tag).status == 202)
        #expect(try scene.get(tag).status == 404)
        #expect(try scene.request("DELETE", tag).status == 404)
        #expect(try scene.get(scene.target("a", "manifests/v2")).status == 200)
        let whole = scene.target("a", "manifests/\(digest)")
        #expect(try scene.request("DELETE", whole).status == 202)
        #expect(try scene.get(whole).status == 404)
        #expect(try scene.get(scene.target("a", "manifests/v2")).status == 404)
        try scene.push("a", blob: Self.bytes)
        let blob = scene.target("a", "blobs/\(Self.digest)")
        #expect(try scene.request("DELETE", blob).status == 202)
        #expect(try scene.get(blob).status == 404)
        #expect(try scene.request("DELETE", blob).status == 404)
    }

    @Test(arguments: HostedScene.bases)
    func nothingIsDeletedWhereThatIsNotAllowed(base: String) throws {
        let scene = try HostedScene("", base: base)
        let manifest = try scene.pushImage("a", "v1", seed: 8)
        for reference in ["v1", MessageDigest.of(manifest)] {
            let target = scene.target("a", "manifests/\(reference)")
            let answer = try scene.request("DELETE", target)
            #expect([400, 405].contains(answer.status))
            #expect(try scene.get(target).status == 200)
        }
    }

    @Test(arguments: HostedScene.bases)
    func aFullRepositoryTakesNoMore(base: String) throws {
        let scene = try HostedScene("max_size = \"256KiB\"", base: base)
        let answer = try scene.push("a", blob: Self.bytes)
        #expect(answer.status == 413)
        #expect(answer.text.contains("max_size"))
        #expect(try scene.push("a", blob: Array(Self.bytes[..<1000])).status == 201)
    }

    // DUR-7: what is hosted is never evicted, and pulls of others go on beside it.
    @Test
    func whatIsHostedStaysWhenTheDiskIsFull() throws {
        let scene = try HostedScene(
            "delete = true", cache: "max_size = \"8MiB\"\nmin_free = \"1MiB\"")
        let manifest = try scene.pushImage("a", "v1", seed: 9)
        var seed: UInt64 = 1000
        var last: WireResponse
        repeat {
            seed += 1
            last = try scene.push("b", blob: TestContent(seed: seed, size: 1_000_000).bytes)
        } while last.status == 201 && seed < 1020
        #expect(last.status == 507, "\(last)")
        #expect(last.text.contains("cache.max_size"))
        #expect(try scene.get(scene.target("a", "manifests/v1")).body == manifest)
        for number in 1001..<seed {
            let content = TestContent(seed: number, size: 1_000_000)
            #expect(try scene.get(scene.target("b", "blobs/\(content.digest)")).status == 200)
        }
    }

    // P12: who is told that a manifest is here need not push it, and may name it in an index.
    @Test func aManifestThatSomebodyWasToldOfStays() throws {
        let scene = try HostedScene(
            "keep = { last = 1 }", cache: "collect = \"1s\"\nlease = \"60s\"")
        let (told, untold) = (
            try scene.pushImage("a", "v1", seed: 91), try scene.pushImage("b", "v1", seed: 92)
        )
        func target(_ name: String, _ manifest: [UInt8]) -> String {
            scene.target(name, "manifests/\(MessageDigest.of(manifest))")
        }
        #expect(try scene.request("HEAD", target("a", told)).status == 200)
        let later = ["a": try scene.pushImage("a", "v2", seed: 93)]
        for (name, old) in [("a", told), ("b", untold)] {
            let latest = try later[name] ?? scene.pushImage(name, "v2", seed: 94)
            // Tags of the same second go together.
            let isGone = try poll {
                try scene.push(name, manifest: latest, as: "v2")
                return try scene.get(scene.target(name, "manifests/v1")).status == 404
            }
            #expect(isGone, "\(name)")
            #expect(try scene.get(target(name, old)).status == (name == "a" ? 200 : 404))
        }
    }
}

import TestSupport
import Testing

/// What the distribution API says of pushing, byte by byte (protocol.md §1.4, §1.5; issue 4, done
/// when 1); each against a hosted repository, and through a group that pushes to it.
@Suite("E81 pushes", .realParts)
struct E81_PushTests {
    private static let bases = ["/v2/releases/", "/v2/"]
    private static let bytes = TestContent(seed: 81, size: 300_000).bytes
    private static let digest = MessageDigest.of(bytes)

    private func expectBlob(
        _ scene: HostedScene, _ name: String, _ bytes: [UInt8] = Self.bytes,
        _ algorithm: MessageDigest.Algorithm = .sha256
    ) throws {
        let digest = MessageDigest.of(bytes, algorithm)
        let answer = try scene.get(scene.target(name, "blobs/\(digest)"))
        #expect(answer.status == 200, "\(answer)")
        #expect(answer.body == bytes)
        #expect(answer["Docker-Content-Digest"] == digest)
    }

    // MARK: - Blobs

    @Test(arguments: bases)
    func aBlobIsPushedInOneRequest(base: String) throws {
        let scene = try HostedScene(base: base)
        let target = scene.target("app/a", "blobs/uploads/?digest=\(Self.digest)")
        let answer = try scene.request("POST", target, body: Self.bytes)
        #expect(answer.status == 201, "\(answer)")
        let location = try #require(answer["Location"])
        #expect(try scene.get(location).body == Self.bytes)
        try expectBlob(scene, "app/a")
    }

    @Test(arguments: bases, [nil, 1000, 100_000])
    func aBlobIsStreamed(base: String, chunk: Int?) throws {
        let scene = try HostedScene(base: base)
        #expect(try scene.push("app/a", blob: Self.bytes, chunk: chunk).status == 201)
        try expectBlob(scene, "app/a")
        // The same again costs nothing but the words.
        #expect(try scene.push("app/a", blob: Self.bytes).status == 201)
    }

    @Test func theClosingRequestMayBringAllOfIt() throws {
        let scene = try HostedScene()
        let location = try scene.open("a")
        let answer = try scene.close(location, digest: Self.digest, body: Self.bytes)
        #expect(answer.status == 201)
        try expectBlob(scene, "a")
    }

    @Test func anEmptyBlobIsABlob() throws {
        let scene = try HostedScene()
        #expect(try scene.push("a", blob: []).status == 201)
        try expectBlob(scene, "a", [])
        let digest = MessageDigest.of([], .sha512)
        let target = scene.target("a", "blobs/uploads/?digest=\(digest)")
        #expect(try scene.request("POST", target).status == 201)
        try expectBlob(scene, "a", [], .sha512)
    }

    @Test func chunksComeInOrder() throws {
        let scene = try HostedScene()
        var location = try scene.open("a")
        let cuts = [0..<1000, 1000..<1001, 1001..<200_000, 200_000..<Self.bytes.count]
        for cut in cuts {
            let piece = Array(Self.bytes[cut])
            for wrong in [
                "7-\(7 + piece.count - 1)", "\(cut.lowerBound)-\(cut.upperBound + 5)", "x",
            ] {
                let refused = try scene.request(
                    "PATCH", location, body: piece, fields: [("Content-Range", wrong)])
                #expect(refused.status == 416, "\(wrong): \(refused)")
            }
            let answer = try scene.request(
                "PATCH", location, body: piece,
                fields: [("Content-Range", "\(cut.lowerBound)-\(cut.upperBound - 1)")])
            #expect(answer.status == 202)
            #expect(answer["Range"] == "0-\(cut.upperBound - 1)")
            location = try #require(answer["Location"])
            let status = try scene.request("GET", location)
            #expect(status.status == 204)
            #expect(status["Range"] == "0-\(cut.upperBound - 1)")
        }
        #expect(try scene.close(location, digest: Self.digest).status == 201)
        try expectBlob(scene, "a")
        #expect(try scene.request("GET", location).status == 404)
    }

    // INT-1, INT-5: a wrong digest is told, and nothing of it is kept.
    @Test func wrongBytesAreRefused() throws {
        let scene = try HostedScene()
        let other = MessageDigest.of([1, 2, 3])
        let location = try scene.open("a")
        #expect(try scene.request("PATCH", location, body: Self.bytes).status == 202)
        let answer = try scene.close(location, digest: other)
        #expect(answer.status == 400)
        #expect(answer.text.contains("DIGEST_INVALID"))
        let single = scene.target("a", "blobs/uploads/?digest=\(other)")
        #expect(try scene.request("POST", single, body: Self.bytes).status == 400)
        #expect(try scene.get(scene.target("a", "blobs/\(other)")).status == 404)
        #expect(try scene.get(scene.target("a", "blobs/\(Self.digest)")).status == 404)
        for bad in ["sha256:abc", "md5:00", ""] {
            let location = try scene.open("a")
            #expect(try scene.close(location, digest: bad).status == 400)
        }
        #expect(Files.names("\(scene.daemon.storePath)/uploads").count == 3)
    }

    @Test func anUploadCanBeCancelled() throws {
        let scene = try HostedScene()
        let location = try scene.open("a")
        #expect(try scene.request("PATCH", location, body: Self.bytes).status == 202)
        #expect(try scene.request("DELETE", location).status == 204)
        #expect(try scene.request("GET", location).status == 404)
        #expect(try scene.request("PATCH", location, body: Self.bytes).status == 404)
        #expect(Files.names("\(scene.daemon.storePath)/uploads").isEmpty)
    }

    // AUTH-7: an upload is its repository's and its user's.
    @Test func anUploadIsNobodyElses() throws {
        let scene = try HostedScene()
        let location = try scene.open("a")
        let elsewhere = location.split(separator: "/").last.map {
            scene.target("b", "blobs/uploads/\($0)")
        }
        #expect(try scene.request("GET", try #require(elsewhere)).status == 404)
        for unknown in ["0123456789abcdef0123456789abcdef", "x", "..%2f"] {
            let target = scene.target("a", "blobs/uploads/\(unknown)")
            #expect([400, 404].contains(try scene.request("GET", target).status))
        }
    }

    @Test(arguments: [true, false])
    func anUploadOutlivesARestart(killing: Bool) throws {
        let scene = try HostedScene()
        let location = try scene.open("a")
        let half = Self.bytes.count / 2
        #expect(
            try scene.request("PATCH", location, body: Array(Self.bytes[..<half])).status == 202)
        try scene.restart(killing: killing)
        let status = try scene.request("GET", location)
        #expect(status.status == 204)
        #expect(status["Range"] == "0-\(half - 1)")
        #expect(
            try scene.request("PATCH", location, body: Array(Self.bytes[half...])).status == 202)
        #expect(try scene.close(location, digest: Self.digest).status == 201)
        try expectBlob(scene, "a")
    }

    @Test func sha512IsUnderstood() throws {
        let scene = try HostedScene()
        let digest = MessageDigest.of(Self.bytes, .sha512)
        for query in ["?digest-algorithm=sha512", ""] {
            let location = try scene.open("a", query: query)
            #expect(try scene.request("PATCH", location, body: Self.bytes).status == 202)
            #expect(try scene.close(location, digest: digest).status == 201)
        }
        try expectBlob(scene, "a", Self.bytes, .sha512)
        let bad = scene.target("a", "blobs/uploads/?digest-algorithm=md5")
        #expect(try scene.request("POST", bad).status == 400)
    }

    // HTTP-3
    @Test func whoeverWaitsForPermissionGetsIt() throws {
        let scene = try HostedScene()
        let location = try scene.open("a")
        let client = try RawClient(scene.address)
        try client.send(
            location, method: "PATCH",
            fields: [
                HostedScene.login, ("Expect", "100-continue"),
                ("Content-Length", "\(Self.bytes.count)"),
            ])
        #expect(try client.response(to: "HEAD").status == 100)
        try client.socket.send(Self.bytes)
        #expect(try client.response(to: "PATCH").status == 202)
        #expect(try scene.close(location, digest: Self.digest).status == 201)
    }

    // HTTP-1: what follows a body that makes no sense is nobody's request.
    @Test(arguments: ["zz\r\n", "5\r\nabcdefgh", "ffffffffffffffffff\r\n"])
    func aBodyWithoutSenseIsRefused(chunks: String) throws {
        let scene = try HostedScene()
        let location = try scene.open("a")
        let client = try RawClient(scene.address)
        try client.send(
            location, method: "PATCH",
            fields: [HostedScene.login, ("Transfer-Encoding", "chunked")])
        try client.send(raw: chunks + "\r\nGET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n")
        let answer = try client.response(to: "PATCH")
        #expect(answer.status == 400, "\(answer)")
        #expect(!answer.keepsAlive)
        #expect((try? client.response()) == nil)
        // The upload is still there, to be gone on with.
        #expect(try scene.request("GET", location).status == 204)
    }

    @Test func whoGoesAwayLeavesNothingBehind() throws {
        let scene = try HostedScene()
        let location = try scene.open("a")
        do {
            let client = try RawClient(scene.address)
            try client.send(
                location, method: "PATCH",
                fields: [HostedScene.login, ("Content-Length", "\(Self.bytes.count)")])
            try client.socket.send(Array(Self.bytes[..<1000]))
            #expect(
                try poll(within: .seconds(20)) {
                    try scene.daemon.metricSum("cistern_http_requests_in_flight", "other") == 1
                })
        }
        #expect(
            try poll(within: .seconds(20)) {
                try scene.daemon.metricSum("cistern_http_requests_in_flight", "other") == 0
            })
        let status = try scene.request("GET", location)
        #expect(status["Range"] == "0-999")
    }

    // MARK: - Mounts

    @Test func aBlobIsMountedFromAnotherName() throws {
        let scene = try HostedScene()
        try scene.push("a", blob: Self.bytes)
        for (name, query) in [
            ("b", "?mount=\(Self.digest)&from=releases/a"), ("c", "?mount=\(Self.digest)"),
        ] {
            let answer = try scene.request("POST", scene.target(name, "blobs/uploads/\(query)"))
            #expect(answer.status == 201, "\(answer)")
            try expectBlob(scene, name)
        }
        // From where it is not there is none: then it is pushed.
        let target = scene.target("d", "blobs/uploads/?mount=\(Self.digest)&from=releases/x")
        #expect(try scene.request("POST", target).status == 202)
        #expect(try scene.get(scene.target("d", "blobs/\(Self.digest)")).status == 404)
    }

    // AUTH-1: knowing a digest is no right to read it.
    @Test func oneRepositoryDoesNotShowWhatIsInAnother() throws {
        let scene = try HostedScene()
        try scene.push("a", blob: Self.bytes)
        #expect(try scene.get("/v2/other/a/blobs/\(Self.digest)").status == 404)
        #expect(try scene.get("/v2/releases/b/blobs/\(Self.digest)").status == 404)
        let anonymous = "/v2/other/a/blobs/uploads/?mount=\(Self.digest)"
        #expect(try scene.request("POST", anonymous).status == 202)
    }

    // MARK: - Manifests

    @Test(arguments: bases)
    func anImageIsPushedAndPulled(base: String) throws {
        let scene = try HostedScene(base: base)
        let manifest = try scene.pushImage("app/a", "v1", seed: 1)
        let digest = MessageDigest.of(manifest)
        for reference in ["v1", digest] {
            let answer = try scene.get(scene.target("app/a", "manifests/\(reference)"))
            #expect(answer.status == 200)
            #expect(answer.body == manifest)
            #expect(answer["Docker-Content-Digest"] == digest)
            #expect(answer["Content-Type"] == "application/vnd.oci.image.manifest.v1+json")
        }
        let tags = try scene.get(scene.target("app/a", "tags/list"))
        #expect(tags.text == "{\"name\":\"app/a\",\"tags\":[\"v1\"]}")
    }

    @Test func severalTagsAreBoundAtOnce() throws {
        let scene = try HostedScene()
        let manifest = try scene.pushImage("a", "v1", seed: 2)
        let digest = MessageDigest.of(manifest)
        let tags = (0..<12).map { "t\($0)" }
        let query = tags.map { "tag=\($0)" }.joined(separator: "&")
        let answer = try scene.push("a", manifest: manifest, as: "\(digest)?\(query)")
        #expect(answer.status == 201)
        #expect(Set(answer.all("OCI-Tag")) == Set(tags))
        for tag in tags {
            #expect(try scene.get(scene.target("a", "manifests/\(tag)")).status == 200)
        }
    }

    @Test func aManifestNeedsItsBlobs() throws {
        let scene = try HostedScene()
        let answer = try scene.push("a", manifest: HostedScene.manifest([[1], [2]]), as: "v1")
        #expect([400, 404].contains(answer.status))
        #expect(answer.text.contains("MANIFEST_BLOB_UNKNOWN"))
        #expect(try scene.get(scene.target("a", "manifests/v1")).status == 404)
    }

    @Test func badManifestsAreRefused() throws {
        let scene = try HostedScene()
        for text in ["", "{", "[]", "{\"schemaVersion\":2}", String(repeating: "[", count: 9000)] {
            let answer = try scene.push("a", manifest: Array(text.utf8), as: "v1")
            #expect(answer.status == 400, "\(text.prefix(20)): \(answer)")
        }
        let large = [UInt8](repeating: 0x20, count: 4 << 20 | 1)
        #expect(try scene.push("a", manifest: large, as: "v1").status == 413)
        let manifest = try scene.pushImage("a", "v1", seed: 3)
        let other = MessageDigest.of([0])
        let answer = try scene.push("a", manifest: manifest, as: other)
        #expect(answer.status == 400)
        #expect(answer.text.contains("DIGEST_INVALID"))
    }

    @Test func whatRefersToAnImageIsListed() throws {
        let scene = try HostedScene()
        let subject = try scene.pushImage("a", "v1", seed: 4)
        let digest = MessageDigest.of(subject)
        let empty = try scene.get(scene.target("a", "referrers/\(MessageDigest.of([7]))"))
        #expect(empty.status == 200)
        #expect(empty.text.contains("\"manifests\":[]"))
        for type in ["application/x.sbom", "application/x.signature"] {
            try scene.push("a", blob: Array("{}".utf8))
            let manifest = HostedScene.manifest(
                [Array("{}".utf8)], subject: subject, artifactType: type)
            let answer = try scene.push(
                "a", manifest: manifest, as: MessageDigest.of(manifest))
            #expect(answer.status == 201)
            #expect(answer["OCI-Subject"] == digest)
        }
        let all = try scene.get(scene.target("a", "referrers/\(digest)"))
        #expect(all.text.contains("x.sbom") && all.text.contains("x.signature"))
        let target = scene.target("a", "referrers/\(digest)?artifactType=application/x.sbom")
        let filtered = try scene.get(target)
        #expect(filtered["OCI-Filters-Applied"] == "artifactType")
        #expect(filtered.text.contains("x.sbom") && !filtered.text.contains("x.signature"))
    }

    @Test func anIndexMayComeBeforeItsImages() throws {
        let scene = try HostedScene()
        let type = "application/vnd.oci.image.index.v1+json"
        let image = HostedScene.manifest([[1], [2]])
        let index = """
            {"schemaVersion":2,"mediaType":"\(type)","manifests":[{"mediaType":\
            "application/vnd.oci.image.manifest.v1+json","digest":"\(MessageDigest.of(image))",\
            "size":\(image.count)}]}
            """
        let answer = try scene.push("a", manifest: Array(index.utf8), as: "multi", type: type)
        #expect(answer.status == 201)
        let pulled = try scene.get(scene.target("a", "manifests/multi"))
        #expect(pulled["Content-Type"] == type)
        #expect(pulled.text == index)
    }

    // MARK: - Rules

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

    @Test(arguments: bases)
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

    @Test func nothingIsDeletedWhereThatIsNotAllowed() throws {
        let scene = try HostedScene("")
        let manifest = try scene.pushImage("a", "v1", seed: 8)
        for reference in ["v1", MessageDigest.of(manifest)] {
            let target = scene.target("a", "manifests/\(reference)")
            let answer = try scene.request("DELETE", target)
            #expect([400, 405].contains(answer.status))
            #expect(try scene.get(target).status == 200)
        }
    }

    @Test func aFullRepositoryTakesNoMore() throws {
        let scene = try HostedScene("max_size = \"256KiB\"")
        let answer = try scene.push("a", blob: Self.bytes)
        #expect(answer.status == 413)
        #expect(answer.text.contains("max_size"))
        #expect(try scene.push("a", blob: Array(Self.bytes[..<1000])).status == 201)
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
    }

    // DUR-7: what is hosted is never evicted, and pulls of others go on beside it.
    @Test func whatIsHostedStaysWhenTheDiskIsFull() throws {
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
}

import TestSupport
import Testing

/// What the distribution API says of pushing blobs, byte by byte (protocol.md §1.4; issue 4, done
/// when 1); each against a hosted repository, and through a group that pushes to it.
@Suite("E81 uploads", .realParts)
struct E81_UploadTests {
    private static let bytes = TestContent(seed: 81, size: 300_000).bytes
    private static let digest = MessageDigest.of(bytes)

    @Test(arguments: HostedScene.bases)
    func aBlobIsPushedInOneRequest(base: String) throws {
        let scene = try HostedScene(base: base)
        let target = scene.target("app/a", "blobs/uploads/?digest=\(Self.digest)")
        let answer = try scene.request("POST", target, body: Self.bytes)
        #expect(answer.status == 201, "\(answer)")
        let location = try #require(answer["Location"])
        #expect(try scene.get(location).body == Self.bytes)
        try scene.expectBlob("app/a", Self.bytes)
    }

    @Test(arguments: HostedScene.bases, [nil, 1000, 100_000])
    func aBlobIsStreamed(base: String, chunk: Int?) throws {
        let scene = try HostedScene(base: base)
        #expect(try scene.push("app/a", blob: Self.bytes, chunk: chunk).status == 201)
        try scene.expectBlob("app/a", Self.bytes)
        // The same again costs nothing but the words.
        #expect(try scene.push("app/a", blob: Self.bytes).status == 201)
    }

    @Test(arguments: HostedScene.bases)
    func theClosingRequestMayBringAllOfIt(base: String) throws {
        let scene = try HostedScene(base: base)
        let location = try scene.open("a")
        let answer = try scene.close(location, digest: Self.digest, body: Self.bytes)
        #expect(answer.status == 201)
        try scene.expectBlob("a", Self.bytes)
    }

    @Test(arguments: HostedScene.bases)
    func anEmptyBlobIsABlob(base: String) throws {
        let scene = try HostedScene(base: base)
        #expect(try scene.push("a", blob: []).status == 201)
        try scene.expectBlob("a", [])
        let digest = MessageDigest.of([], .sha512)
        let target = scene.target("a", "blobs/uploads/?digest=\(digest)")
        #expect(try scene.request("POST", target).status == 201)
        try scene.expectBlob("a", [], .sha512)
    }

    @Test(arguments: HostedScene.bases)
    func chunksComeInOrder(base: String) throws {
        let scene = try HostedScene(base: base)
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
        try scene.expectBlob("a", Self.bytes)
        #expect(try scene.request("GET", location).status == 404)
    }

    // INT-1, INT-5: a wrong digest is told, and nothing of it is kept.
    @Test(arguments: HostedScene.bases)
    func wrongBytesAreRefused(base: String) throws {
        let scene = try HostedScene(base: base)
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

    @Test(arguments: HostedScene.bases)
    func anUploadCanBeCancelled(base: String) throws {
        let scene = try HostedScene(base: base)
        let location = try scene.open("a")
        #expect(try scene.request("PATCH", location, body: Self.bytes).status == 202)
        #expect(try scene.request("DELETE", location).status == 204)
        #expect(try scene.request("GET", location).status == 404)
        #expect(try scene.request("PATCH", location, body: Self.bytes).status == 404)
        #expect(Files.names("\(scene.daemon.storePath)/uploads").isEmpty)
    }

    // AUTH-7: an upload is its repository's and its user's.
    @Test(arguments: HostedScene.bases)
    func anUploadIsNobodyElses(base: String) throws {
        let scene = try HostedScene(base: base)
        let location = try scene.open("a")
        let elsewhere = location.split(separator: "/").last.map {
            scene.target("b", "blobs/uploads/\($0)")
        }
        #expect(try scene.request("GET", try #require(elsewhere)).status == 404)
        #expect(try scene.request("GET", location, as: HostedScene.ownersLogin).status == 404)
        for unknown in ["0123456789abcdef0123456789abcdef", "x", "..%2f"] {
            let target = scene.target("a", "blobs/uploads/\(unknown)")
            #expect([400, 404].contains(try scene.request("GET", target).status))
        }
    }

    // Between any two of its requests.
    @Test(arguments: [true, false])
    func anUploadOutlivesARestart(killing: Bool) throws {
        let scene = try HostedScene()
        let location = try scene.open("a")
        try scene.restart(killing: killing)
        let half = Self.bytes.count / 2
        #expect(
            try scene.request("PATCH", location, body: Array(Self.bytes[..<half])).status == 202)
        try scene.restart(killing: killing)
        let status = try scene.request("GET", location)
        #expect(status.status == 204)
        #expect(status["Range"] == "0-\(half - 1)")
        #expect(
            try scene.request("PATCH", location, body: Array(Self.bytes[half...])).status == 202)
        try scene.restart(killing: killing)
        #expect(try scene.close(location, digest: Self.digest).status == 201)
        try scene.expectBlob("a", Self.bytes)
        try scene.restart(killing: killing)
        // It is over, as for somebody who never heard the answer.
        #expect(try scene.close(location, digest: Self.digest).status == 404)
        try scene.expectBlob("a", Self.bytes)
    }

    // What a request had brought counts, though nobody was told so.
    @Test func anUploadOutlivesAKillInTheMiddleOfARequest() throws {
        let scene = try HostedScene()
        let location = try scene.open("a")
        let sent = 200_000
        let client = try RawClient(scene.address)
        try client.send(
            location, method: "PATCH",
            fields: [HostedScene.login, ("Content-Length", "\(Self.bytes.count)")])
        try client.socket.send(Array(Self.bytes[..<sent]))
        let uploads = "\(scene.daemon.storePath)/uploads"
        let isThere = poll(within: .seconds(20)) {
            Files.names(uploads).contains {
                (try? Files.read("\(uploads)/\($0)"))?.count == sent
            }
        }
        #expect(isThere)
        try scene.restart(killing: true)
        let status = try scene.request("GET", location)
        #expect(status["Range"] == "0-\(sent - 1)", "\(status)")
        let rest = Array(Self.bytes[sent...])
        // Who counts from what he was told last is told better.
        let wrong = [("Content-Range", "0-\(Self.bytes.count - 1)")]
        #expect(
            try scene.request("PATCH", location, body: Self.bytes, fields: wrong).status == 416)
        let right = [("Content-Range", "\(sent)-\(Self.bytes.count - 1)")]
        #expect(try scene.request("PATCH", location, body: rest, fields: right).status == 202)
        #expect(try scene.close(location, digest: Self.digest).status == 201)
        try scene.expectBlob("a", Self.bytes)
    }

    @Test(arguments: HostedScene.bases)
    func sha512IsUnderstood(base: String) throws {
        let scene = try HostedScene(base: base)
        let digest = MessageDigest.of(Self.bytes, .sha512)
        for query in ["?digest-algorithm=sha512", ""] {
            let location = try scene.open("a", query: query)
            #expect(try scene.request("PATCH", location, body: Self.bytes).status == 202)
            #expect(try scene.close(location, digest: digest).status == 201)
        }
        try scene.expectBlob("a", Self.bytes, .sha512)
        let bad = scene.target("a", "blobs/uploads/?digest-algorithm=md5")
        #expect(try scene.request("POST", bad).status == 400)
    }

    // HTTP-3
    @Test(arguments: HostedScene.bases)
    func whoeverWaitsForPermissionGetsIt(base: String) throws {
        let scene = try HostedScene(base: base)
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

    @Test(arguments: HostedScene.bases)
    func whoGoesAwayLeavesNothingBehind(base: String) throws {
        let scene = try HostedScene(base: base)
        let location = try scene.open("a")
        do {
            let client = try RawClient(scene.address)
            try client.send(
                location, method: "PATCH",
                fields: [HostedScene.login, ("Content-Length", "\(Self.bytes.count)")])
            try client.socket.send(Array(Self.bytes[..<1000]))
            #expect(
                try poll(within: .seconds(20)) {
                    try scene.daemon.metricSum("cistern_http_requests_in_flight", "upload") == 1
                })
        }
        #expect(
            try poll(within: .seconds(20)) {
                try scene.daemon.metricSum("cistern_http_requests_in_flight", "upload") == 0
            })
        let status = try scene.request("GET", location)
        #expect(status["Range"] == "0-999")
    }

    // The last chunk may come with the closing request, and is refused there out of its order, too.
    @Test(arguments: HostedScene.bases)
    func theLastChunkMayCloseTheUpload(base: String) throws {
        let scene = try HostedScene(base: base)
        let cut = 200_000
        let rest = Array(Self.bytes[cut...])
        let location = try scene.open("a")
        let first = try scene.request(
            "PATCH", location, body: Array(Self.bytes[..<cut]),
            fields: [("Content-Range", "0-\(cut - 1)")])
        #expect(first.status == 202)
        let closing = "\(try #require(first["Location"]))?digest=\(Self.digest)"
        for start in [0, cut - 1, cut + 1] {
            let wrong = [("Content-Range", "\(start)-\(start + rest.count - 1)")]
            let refused = try scene.request("PUT", closing, body: rest, fields: wrong)
            #expect(refused.status == 416, "\(start): \(refused)")
            #expect(refused["Range"] == "0-\(cut - 1)")
        }
        let right = [("Content-Range", "\(cut)-\(Self.bytes.count - 1)")]
        #expect(try scene.request("PUT", closing, body: rest, fields: right).status == 201)
        try scene.expectBlob("a", Self.bytes)
    }

    // Of a blob whose digest is of another algorithm than the upload was begun for, too.
    @Test(arguments: HostedScene.bases)
    func everyWayOfPushingKnowsWrongBytes(base: String) throws {
        let scene = try HostedScene(base: base)
        for algorithm in [MessageDigest.Algorithm.sha256, .sha512] {
            let digest = MessageDigest.of([1, 2, 3], algorithm)
            let single = scene.target("a", "blobs/uploads/?digest=\(digest)")
            #expect(try scene.request("POST", single, body: Self.bytes).status == 400)
            let closing = try scene.open("a")
            #expect(try scene.close(closing, digest: digest, body: Self.bytes).status == 400)
            let streamed = try scene.open("a")
            #expect(
                try scene.request("PATCH", streamed, body: Self.bytes, chunk: 999).status == 202)
            #expect(try scene.close(streamed, digest: digest).status == 400)
            #expect(try scene.get(scene.target("a", "blobs/\(digest)")).status == 404)
        }
    }
}

import OCI
import Reactor
import Testing

@testable import Upstream

@Suite struct CurlUpstreamTests {
    @Test func aBlobArrivesWithWhatItsHeadSays() async throws {
        try await withServer(
            { _ in
                Step.response(
                    200, "hello",
                    [
                        "Content-Type": "application/octet-stream", "ETag": "\"e\"",
                        "Docker-Content-Digest": "sha256:" + String(repeating: "a", count: 64),
                        "RateLimit-Limit": "100;w=21600", "RateLimit-Remaining": "76;w=21600",
                        "Cache-Status": "parent; hit", "Retry-After": "7",
                    ])
            },
            { server in
                let harness = try Harness(server.url)
                defer { harness.stop() }
                let response = try await harness.send(UpstreamRequest(.get, .layer("a/b")))
                #expect(response.status == 200)
                #expect(response.contentType == "application/octet-stream")
                #expect(response.contentLength == 5)
                #expect(response.digest?.hex == String(repeating: "a", count: 64))
                #expect(response.etag == "\"e\"")
                #expect(response.retryAfter == .seconds(7))
                #expect(response.cacheStatus == "parent; hit")
                #expect(
                    response.rateLimit == RateLimit(limit: 100, remaining: 76, windowSeconds: 21600)
                )
                #expect(try await response.body.collect(limit: 5) == Array("hello".utf8))
                let request = try #require(server.requests.first)
                #expect(
                    request.target == "/v2/a/b/blobs/sha256:" + String(repeating: "a", count: 64))
                // INT-3
                #expect(request["accept-encoding"] == "identity")
                // CRED-4
                #expect(request["authorization"] == nil && request["cookie"] == nil)
                #expect(harness.exchanges.all.map(\.status) == [200])
            })
    }

    @Test func manifestsAreAskedForWithEveryMediaType() async throws {
        try await withServer(
            { _ in Step.response(200, "{}") },
            { server in
                let harness = try Harness(server.url)
                defer { harness.stop() }
                _ = try await harness.get(.tag("a/b", "latest"))
                #expect(server.requests[0]["accept"] == MediaType.accepted)
                #expect(server.requests[0].target == "/v2/a/b/manifests/latest")
            })
    }

    @Test func headIsAnsweredWithoutABody() async throws {  // UP-9
        try await withServer(
            { _ in
                [.head(200, ["Content-Length": "1234", "ETag": "\"x\""])]
            },
            { server in
                let harness = try Harness(server.url)
                defer { harness.stop() }
                for _ in 0..<2 {
                    let response = try await harness.send(UpstreamRequest(.head, .tag("a/b", "1")))
                    #expect(response.status == 200 && response.contentLength == 1234)
                    #expect(try await response.body.next() == nil)
                }
                #expect(server.requests.map(\.method) == ["HEAD", "HEAD"])
                #expect(server.connections == 1)
            })
    }

    @Test func oneComponentIsInTheLibraryOnlyAtDockerHub() async throws {
        try await withServer(
            { _ in Step.response(404, "{}") },
            { server in
                let hub = try Harness(server.url + "/root/") { $0.implicitLibrary = true }
                defer { hub.stop() }
                #expect(try await hub.get(.tag("alpine", "3")).0 == 404)
                let other = try Harness(server.url)
                defer { other.stop() }
                #expect(try await other.get(.tag("alpine", "3")).0 == 404)
                #expect(
                    server.requests.map(\.target) == [
                        "/root/v2/library/alpine/manifests/3", "/v2/alpine/manifests/3",
                    ])
            })
    }

    @Test func aBodyWithoutLengthWorks() async throws {
        try await withServer(
            { request in
                request.target.contains("chunked")
                    ? [
                        .head(200, ["Transfer-Encoding": "chunked"]),
                        .send("5\r\nhello\r\n6\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n"),
                    ] : [.head(200, [:]), .send("hello world"), .close]
            },
            { server in
                let harness = try Harness(server.url)
                defer { harness.stop() }
                for name in ["chunked", "closed"] {
                    try await withTaskExecutorPreference(harness.loop) {
                        let response = try await harness.send(UpstreamRequest(.get, .layer(name)))
                        #expect(response.contentLength == nil)
                        let body = try await response.body.collect(limit: 100)
                        #expect(body == Array("hello world".utf8))
                    }
                }
            })
    }

    @Test func bytesAreGivenOnAsTheyArrive() async throws {
        let gate = Gate()
        try await withServer(
            { _ in
                [.head(200, ["Content-Length": "6"]), .send("one"), .wait(gate), .send("two")]
            },
            { server in
                let harness = try Harness(server.url)
                defer { harness.stop() }
                try await withTaskExecutorPreference(harness.loop) {
                    let response = try await harness.send(UpstreamRequest(.get, .layer("a")))
                    #expect(try await response.body.next()?.bytes == Array("one".utf8))
                    gate.open()
                    #expect(try await response.body.next()?.bytes == Array("two".utf8))
                    #expect(try await response.body.next() == nil)
                    #expect(try await response.body.next() == nil)
                }
            })
    }

    @Test func aResumedBodyMustBeginWhereItWasAskedTo() async throws {  // UP-4
        try await withServer(
            { request in
                switch request.target.split(separator: "/")[1] {
                case "right": Step.response(206, "lo", ["Content-Range": "bytes 3-4/5"])
                case "wrong": Step.response(206, "ell", ["Content-Range": "bytes 1-3/5"])
                case "none": Step.response(206, "lo")
                case "length": Step.response(206, "lo", ["Content-Range": "bytes 3-9/10"])
                default: Step.response(200, "hello")
                }
            },
            { server in
                let harness = try Harness(server.url)
                defer { harness.stop() }
                func resume(_ name: String) -> UpstreamRequest {
                    UpstreamRequest(.get, .layer(name), offset: 3, ifRange: "\"tag\"")
                }
                let response = try await harness.send(resume("right"))
                #expect(response.contentRange == .init(first: 3, last: 4, total: 5))
                #expect(server.requests[0]["range"] == "bytes=3-")
                #expect(server.requests[0]["if-range"] == "\"tag\"")
                #expect(try await harness.send(resume("whole")).status == 200)
                for name in ["wrong", "none", "length"] {
                    await #expect(throws: UpstreamError.self) {
                        try await harness.send(resume(name))
                    }
                }
                // Nobody asked for a part.
                await #expect(throws: UpstreamError.self) { try await harness.get(.layer("right")) }
            })
    }

    @Test func pagesAreFollowedOnTheUpstreamOnly() async throws {  // SSRF-1
        try await withServer(
            { request in
                let next = request.target.contains("last=b") ? "//evil.example/v2/x" : "?n=2&last=b"
                return Step.response(200, "{}", ["Link": "<\(next)>; rel=\"next\""])
            },
            { server in
                let harness = try Harness(server.url)
                defer { harness.stop() }
                let name = try #require(RepositoryName(parsing: "a/b"))
                let first = try await harness.send(
                    UpstreamRequest(.get, .tags(name, limit: 2, last: "ä&b")))
                #expect(first.next == "/v2/a/b/tags/list?n=2&last=b")
                let second = try await harness.send(
                    UpstreamRequest(.get, .next(name, link: try #require(first.next))))
                #expect(second.next == nil)
                #expect(
                    server.requests.map(\.target) == [
                        "/v2/a/b/tags/list?n=2&last=%C3%A4%26b", "/v2/a/b/tags/list?n=2&last=b",
                    ])
                for link in ["https://evil.example/v2/", "/other", "/v2/../secret", "//evil/v2/"] {
                    await #expect(throws: UpstreamError.self) {
                        try await harness.send(UpstreamRequest(.get, .next(name, link: link)))
                    }
                }
            })
    }

    @Test func manyTransfersShareTheConnections() async throws {
        try await withServer(
            { request in Step.response(200, request.target) },
            { server in
                let harness = try Harness(server.url)
                defer { harness.stop() }
                for index in 0..<20 {
                    let (status, body) = try await harness.get(.tag("a", "t\(index)"))
                    #expect(status == 200 && body == Array("/v2/a/manifests/t\(index)".utf8))
                }
                #expect(server.connections == 1)
            })
    }

    @Test func tasksOfTheLoopItselfMaySend() async throws {
        try await withServer(
            { _ in Step.response(200, "x") },
            { server in
                let harness = try Harness(server.url)
                defer { harness.stop() }
                let upstream = harness.upstream
                let bytes = await withCheckedContinuation { continuation in
                    harness.loop.spawn {
                        let response = try? await upstream.send(UpstreamRequest(.get, .layer("a")))
                        let bytes = try? await response?.body.collect(limit: 10)
                        continuation.resume(returning: bytes)
                    }
                }
                #expect(bytes == [UInt8(ascii: "x")])
            })
    }
}

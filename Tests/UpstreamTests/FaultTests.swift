import OCI
import Reactor
import Testing

@testable import Upstream

/// Heads that no response may begin with.
enum OddHead: CaseIterable {
    case manyFields, longField, endlessField, manyBytes, manyInterim, folded, control, switching
    case status999, ssh, text, version2, icy

    var text: String {
        let ok = "HTTP/1.1 200 OK\r\n"
        return switch self {
        case .manyFields: ok + String(repeating: "X-Y: z\r\n", count: 201) + "\r\n"
        case .longField: ok + "X: " + String(repeating: "a", count: 66_000) + "\r\n\r\n"
        case .endlessField: ok + "X: " + String(repeating: "a", count: 200_000) + "\r\n\r\n"
        case .manyBytes:
            ok + String(repeating: "X: " + String(repeating: "a", count: 999) + "\r\n", count: 70)
                + "\r\n"
        case .manyInterim:
            String(repeating: "HTTP/1.1 103 Early\r\n\r\n", count: 17) + ok + "\r\n"
        case .folded: ok + "ETag: a\r\n b\r\n\r\n"
        case .control: ok + "ETag: a\u{1}\r\n\r\n"
        case .switching: "HTTP/1.1 101 Switching Protocols\r\n\r\n"
        case .status999: "HTTP/1.1 999 No\r\n\r\n"
        case .ssh: "SSH-2.0-x\r\n"
        case .text: "hello"
        case .version2: "HTTP/2 200\r\n\r\n"
        case .icy: "ICY 200 OK\r\n\r\n"
        }
    }
}

@Suite struct FaultTests {
    private func failure(
        _ steps: [Step], _ change: (inout UpstreamSettings) -> Void = { _ in }
    ) async throws -> UpstreamError? {
        try await withServer(
            { _ in steps },
            { server in
                let harness = try Harness(server.url, change)
                defer { harness.stop() }
                return await harness.failure(of: .layer("a"))
            })
    }

    // MARK: - Bodies that end wrongly

    @Test func aShortBodyIsTruncated() async throws {  // INT-11
        let steps: [Step] = [.head(200, ["Content-Length": "10"]), .send("12345"), .close]
        #expect(try await failure(steps) == .truncated)
    }

    @Test func chunksWithoutTheirEndAreTruncated() async throws {
        let head = Step.head(200, ["Transfer-Encoding": "chunked"])
        #expect(try await failure([head, .send("5\r\n12345\r\n"), .close]) == .truncated)
        let broken = try await failure([head, .send("zz\r\n12345\r\n"), .close])
        #expect(broken?.reason != nil)
    }

    @Test func aResetIsReportedAfterWhatArrived() async throws {
        let gate = Gate()
        try await withServer(
            { _ in
                [.head(200, ["Content-Length": "10"]), .send("12345"), .wait(gate), .reset]
            },
            { server in
                let harness = try Harness(server.url)
                defer { harness.stop() }
                let response = try await harness.send(UpstreamRequest(.get, .layer("a")))
                #expect(try await response.body.next()?.count == 5)
                gate.open()
                for _ in 0..<2 {
                    await #expect(throws: UpstreamError.reset) { try await response.body.next() }
                }
            })
    }

    @Test func aConnectionClosedWithoutAWordIsAReset() async throws {
        #expect(try await failure([.close]) == .reset)
        #expect(try await failure([.reset]) == .reset)
    }

    @Test func bytesBeyondTheLengthAreNotTaken() async throws {  // INT-11
        try await withServer(
            { _ in
                [.head(200, ["Content-Length": "3"]), .send("abcdef"), .close]
            },
            { server in
                let harness = try Harness(server.url)
                defer { harness.stop() }
                #expect(try await harness.get(.layer("a")).1 == Array("abc".utf8))
            })
    }

    // MARK: - Heads that may not be used

    @Test(arguments: [
        ["Content-Encoding": "gzip"], ["Content-Encoding": "identity, zstd"],
        ["Transfer-Encoding": "gzip, chunked"], ["Transfer-Encoding": "gzip"],
        ["Content-Length": "-1"], ["Content-Length": "1, 1"], ["Content-Length": "0x1"],
        ["Content-Length": "99999999999999999999"], ["Content-Length": ""],
    ])
    func bytesThatAreNotTheHashedOnesAreRefused(fields: [String: String]) async throws {  // INT-3
        let error = try await failure([.head(200, fields), .send("x"), .close])
        #expect(error?.reason == "bad_response")
    }

    @Test func twoLengthsAreRefused() async throws {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy"
        #expect(try await failure([.send(head), .close])?.reason == "bad_response")
    }

    @Test(arguments: OddHead.allCases)
    func aHeadOutsideTheLimitsIsDropped(head: OddHead) async throws {  // RES-4
        let error = try await failure([.send(head.text), .close])
        #expect(error?.reason == "bad_response")
    }

    @Test func sixteenInterimResponsesAreFine() async throws {  // RES-4
        let interim = String(repeating: "HTTP/1.1 103 Early\r\nLink: <x>\r\n\r\n", count: 16)
        try await withServer(
            { _ in
                [.send(interim)] + Step.response(200, "x")
            },
            { server in
                let harness = try Harness(server.url)
                defer { harness.stop() }
                #expect(try await harness.get(.layer("a")).0 == 200)
            })
    }

    @Test func aDigestThatIsNoneIsRefusedForManifests() async throws {  // INT-8
        try await withServer(
            { _ in
                Step.response(200, "{}", ["Docker-Content-Digest": "sha256:zz"])
            },
            { server in
                let harness = try Harness(server.url)
                defer { harness.stop() }
                #expect(await harness.failure(of: .tag("a", "1"))?.reason == "bad_response")
            })
    }

    // MARK: - Time (UP-2)

    @Test func silenceAfterTheRequestTimesOut() async throws {
        let clock = ManualClock()
        try await withServer(
            { _ in [.silence] },
            { server in
                let harness = try Harness(server.url, clock: .manual(clock))
                defer { harness.stop() }
                async let failure = harness.failure(of: .layer("a"))
                #expect(await eventually { !server.requests.isEmpty })
                clock.advance(by: .seconds(10))
                await harness.turn()
                #expect(await failure == .timeout(.firstByte))
            })
    }

    @Test func silenceInsideTheHeadTimesOut() async throws {
        let steps: [Step] = [.send("HTTP/1.1 200 OK\r\nContent-Le"), .silence]
        let error = try await failure(steps) { settings in
            settings.timeouts.headers = .milliseconds(200)
        }
        #expect(error == .timeout(.headers))
    }

    @Test func theWholeWayHasOneLimit() async throws {
        // Each hop is quick enough for its own limits, all of them together are not.
        let gate = Gate()
        try await withServer(
            { _ in [.wait(gate)] + Step.redirect("/x") },
            { server in
                let harness = try Harness(server.url) { $0.timeouts.headers = .milliseconds(100) }
                defer { harness.stop() }
                #expect(await harness.failure(of: .layer("a")) == .timeout(.headers))
                gate.open()
            })
    }

    @Test func aSilentTLSServerTimesOut() async throws {
        try await withServer(
            greeting: [.silence], { _ in [] },
            { server in
                let harness = try Harness("https://127.0.0.1:\(server.port)") {
                    $0.timeouts.tls = .milliseconds(150)
                }
                defer { harness.stop() }
                let error = await harness.failure(of: .layer("a"))
                #expect(error == .timeout(.tls))
            })
    }

    @Test func aBodyThatStallsIsCut() async throws {
        let clock = ManualClock()
        try await withServer(
            { _ in [.head(200, ["Content-Length": "10"]), .send("123"), .silence] },
            { server in
                let harness = try Harness(server.url, clock: .manual(clock))
                defer { harness.stop() }
                let response = try await harness.send(UpstreamRequest(.get, .layer("a")))
                #expect(try await response.body.next()?.count == 3)
                let next = Task { try await response.body.next() }
                for _ in 0..<7 {
                    clock.advance(by: .seconds(5))
                    await harness.turn()
                }
                await #expect(throws: UpstreamError.stalled) { try await next.value }
            })
    }

    @Test func aConsumerThatTakesItsTimeIsNoStall() async throws {
        let clock = ManualClock()
        let megabytes = 4
        let chunk = [UInt8](repeating: 7, count: 1 << 20)
        try await withServer(
            { _ in
                [.head(200, ["Content-Length": "\(megabytes << 20)"])]
                    + [Step](repeating: .sendBytes(chunk), count: megabytes)
            },
            { server in
                let harness = try Harness(server.url, clock: .manual(clock))
                defer { harness.stop() }
                let response = try await harness.send(UpstreamRequest(.get, .layer("a")))
                // Before it asks, and after.
                for _ in 0..<100 {
                    clock.advance(by: .seconds(5))
                    await harness.turn()
                }
                let first = try await response.body.next()?.count ?? 0
                #expect(await eventually { harness.received > BodyBuffer.bytesMax / 2 })
                for _ in 0..<100 {
                    clock.advance(by: .seconds(5))
                    await harness.turn()
                }
                let rest = try await response.body.collect(limit: 8 << 20).count
                #expect(first + rest == megabytes << 20)
            })
    }

    @Test func nobodyListeningIsAConnectError() async throws {
        let port = await withServer({ _ in [] }, { $0.port })
        let harness = try Harness("http://127.0.0.1:\(port)")
        defer { harness.stop() }
        #expect(await harness.failure(of: .layer("a"))?.reason == "connect")
        #expect(harness.exchanges.all.map(\.status) == [0])
        #expect(harness.exchanges.all[0].error?.reason == "connect")
    }

    @Test func aNameWithoutAddressIsAResolveError() async throws {
        let harness = try Harness("http://does-not-exist.invalid")
        defer { harness.stop() }
        let error = await harness.failure(of: .layer("a"))
        #expect(error == .resolve(host: "does-not-exist.invalid") || error == .timeout(.resolve))
    }
}

import HTTP
import Server
import Synchronization
import Testing

/// Requests of the same bytes are answered again without being worked out again, as long as the
/// answer says that it holds.
@Suite struct RepeatedRequestTests {
    /// Says how often it was asked, and how often it gave its answer again.
    private final class Site: Sendable {
        let asked = Atomic<Int>(0)
        let repeated = Atomic<Int>(0)
        let holds = Atomic<Bool>(true)
        let mayRepeat: Bool

        init(mayRepeat: Bool = true) { self.mayRepeat = mayRepeat }

        func answer(_ request: Request) -> Response {
            let number = asked.add(1, ordering: .relaxed).newValue
            let text = "\(request.head.target.path) \(number)"
            var fields: HeaderFields = ["ETag": "\"\(number)\""]
            let path = request.head.target.path
            if path.hasPrefix("/part/") {
                let part = path.dropFirst("/part/".count)
                fields = ["X-Part": "<\(part)>", "ETag": "\"\(part) \(number)\""]
            }
            var response = Response(
                status: 200, fields: fields, body: .bytes(Array(text.utf8)))
            guard mayRepeat else { return response }
            response.repetition = Again(site: self, text: text)
            return response
        }

        private final class Again: Repetition {
            let site: Site
            let text: String

            init(site: Site, text: String) {
                self.site = site
                self.text = text
            }

            func again(_ part: HeadPart?) -> Body? {
                guard site.holds.load(ordering: .relaxed) else { return nil }
                let text = part?.withBytes { String(decoding: $0, as: UTF8.self) } ?? text
                if text.hasPrefix("0") { return nil }
                site.repeated.add(1, ordering: .relaxed)
                return .bytes(Array(text.utf8))
            }

            var isOver: Bool { !site.holds.load(ordering: .relaxed) }

            func finished(
                _ body: Body, _ part: HeadPart?, _ outcome: ResponseOutcome,
                request: () -> Request
            ) {}
        }

        var counts: [Int] { [asked.load(ordering: .relaxed), repeated.load(ordering: .relaxed)] }
    }

    private func run(
        _ site: Site, _ body: (TestServer) async throws -> Void
    ) async throws {
        try await TestServer.run(handler: { site.answer($0) }, body)
    }

    @Test func theThirdOfTheSameBytesIsNotWorkedOut() async throws {
        let site = Site()
        try await run(site) { test in
            let client = try test.client()
            var ids: Set<String> = []
            for number in 1...5 {
                client.get("/a")
                let answer = try #require(client.readAnswer())
                let expected = min(number, 2)
                #expect(answer.text == "/a \(expected)")
                #expect(answer.field("ETag") == "\"\(expected)\"")
                #expect(answer.field("Date") != nil)
                ids.insert(try #require(answer.field("X-Request-Id")))
            }
            #expect(ids.count == 5)
            #expect(site.counts == [2, 3])
            // Another client in the same words is given it, too.
            let other = try test.client()
            other.get("/a")
            #expect(try #require(other.readAnswer()).text == "/a 2")
            // Other words are another request.
            client.get("/a", fields: "Accept: */*\r\n")
            #expect(try #require(client.readAnswer()).text == "/a 3")
        }
    }

    @Test func whatDoesNotHoldAnyMoreIsWorkedOut() async throws {
        let site = Site()
        try await run(site) { test in
            let client = try test.client()
            for _ in 0..<3 {
                client.get("/a")
                _ = client.readAnswer()
            }
            #expect(site.counts == [2, 1])
            site.holds.store(false, ordering: .relaxed)
            client.get("/a")
            #expect(try #require(client.readAnswer()).text == "/a 3")
            client.get("/a")
            #expect(try #require(client.readAnswer()).text == "/a 4")
        }
    }

    @Test func whatMayNotBeRepeatedIsNot() async throws {
        let site = Site(mayRepeat: false)
        try await run(site) { test in
            let client = try test.client()
            for _ in 0..<4 {
                client.get("/a")
                _ = client.readAnswer()
            }
            #expect(site.counts == [4, 0])
        }
    }

    @Test func headsPipelinesAndEndsAreKept() async throws {
        let site = Site()
        try await run(site) { test in
            let client = try test.client()
            for _ in 0..<4 {
                client.send("HEAD /h HTTP/1.1\r\nHost: a\r\n\r\n")
                let answer = try #require(client.readAnswer(toHead: true))
                #expect(answer.field("Content-Length") == "4")
            }
            for _ in 0..<3 {
                client.get("/p")
                _ = client.readAnswer()
            }
            // Two at once, the first of which came before.
            let one = "GET /p HTTP/1.1\r\nHost: a\r\n\r\n"
            client.send(one + one)
            for _ in 0..<2 { #expect(try #require(client.readAnswer()).status == 200) }
            let last = "GET /c HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            for _ in 0..<4 {
                let leaving = try test.client()
                leaving.send(last)
                #expect(try #require(leaving.readAnswer()).field("Connection") == "close")
                #expect(leaving.readToEnd().isEmpty)
            }
        }
    }

    /// Many different requests do not take memory without bound, and none gets another's answer.
    @Test func noneGetsTheAnswerOfAnother() async throws {
        let site = Site()
        try await run(site) { test in
            for _ in 0..<4 {
                let client = try test.client()
                for number in 0..<1_500 {
                    client.get("/\(number)")
                    let answer = try #require(client.readAnswer())
                    #expect(answer.text.hasPrefix("/\(number) "))
                }
            }
            #expect(site.counts[1] > 1_500)
        }
    }

    /// What differs in one part only is answered alike, each with its own part.
    @Test func othersOfItsKindAreAnsweredAsTheFirst() async throws {
        let site = Site()
        try await run(site) { test in
            let client = try test.client()
            func ask(_ digit: Character, _ rest: String = "") throws -> TestClient.Answer {
                client.get("/part/\(String(repeating: digit, count: HeadPart.count))\(rest)")
                return try #require(client.readAnswer())
            }
            for _ in 0..<2 { _ = try ask("1") }
            for digit in "123456789" {
                let text = String(repeating: digit, count: HeadPart.count)
                let answer = try ask(digit)
                #expect(answer.text == text)
                #expect(answer.field("X-Part") == "<\(text)>")
                #expect(answer.field("ETag") == "\"\(text) 2\"")
            }
            #expect(site.counts == [2, 9])
            // What is not given again has to be worked out, and the others still hold.
            #expect(try ask("0").text.hasSuffix(" 3"))
            #expect(try ask("5").text.hasPrefix("555"))
            // The rest has to be the same.
            #expect(try ask("5", "?a").text.hasPrefix("/part/5"))
            client.get("/part/\(String(repeating: "5", count: HeadPart.count))", fields: "A: b\r\n")
            #expect(try #require(client.readAnswer()).text.hasPrefix("/part/5"))
            #expect(site.counts == [5, 10])
            // What does not hold any more is learned anew for all of its kind.
            site.holds.store(false, ordering: .relaxed)
            #expect(try ask("5").text.hasPrefix("/part/5"))
            site.holds.store(true, ordering: .relaxed)
            #expect(try ask("6").text.hasPrefix("666"))
            #expect(try ask("6").field("ETag")?.hasSuffix(" 6\"") == true)
        }
    }
}

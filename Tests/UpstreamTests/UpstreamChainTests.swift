import OCI
import Reactor
import Synchronization
import Testing

@testable import Upstream

/// Several upstreams in order: who is asked, and whose word counts.
@Suite struct UpstreamChainTests {
    typealias Answer = Result<UpstreamResponse, UpstreamError>

    private final class Member: UpstreamClient {
        let answer: Answer
        let delay: Duration
        let loop: EventLoop
        let asked = Recorder<UpstreamRequest>()

        init(_ loop: EventLoop, _ answer: Answer, delay: Duration = .zero) {
            (self.loop, self.answer, self.delay) = (loop, answer, delay)
        }

        func send(_ request: UpstreamRequest) async throws(UpstreamError) -> UpstreamResponse {
            asked.append(request)
            if delay > .zero {
                let left = (request.deadline ?? .endOfTime) - loop.now
                await loop.sleep(for: min(delay, left))
                if delay > left { throw .timeout(.headers) }
            }
            return try answer.get()
        }
    }

    private let loop = EventLoop(simulating: 1, clock: ManualClock())

    private func status(_ status: Int) -> Answer { .success(UpstreamResponse(status: status)) }

    private func ask(_ members: [Member], _ request: UpstreamRequest? = nil) throws -> Answer {
        let chain = UpstreamChain(members, loop: loop)
        let result = Recorder<Answer>()
        let request = request ?? UpstreamRequest(.get, .tag("library/a", "latest"))
        loop.spawn {
            do throws(UpstreamError) {
                result.append(.success(try await chain.send(request)))
            } catch {
                result.append(.failure(error))
            }
        }
        loop.advance(by: .seconds(60))
        return try #require(result.all.first)
    }

    @Test func theFirstThatHasItGivesIt() throws {
        let members = [Member(loop, status(200)), Member(loop, status(200))]
        #expect(try ask(members).get().status == 200)
        #expect(members.map(\.asked.all.count) == [1, 0])
    }

    @Test func whateverIsWrongWithOneIsPassedOver() throws {
        let wrong: [Answer] = [
            status(404), status(401), status(403), status(410), status(429), status(500),
            status(503), .failure(.connect(host: "a", detail: "")), .failure(.timeout(.firstByte)),
            .failure(.tls(host: "a", detail: "")), .failure(.resolve(host: "a")), .failure(.reset),
            .failure(.breakerOpen(retryAfter: .seconds(5), cause: "")),
            .failure(.tokenDenied(status: 401)), .failure(.tooManyRequests(retryAfter: nil)),
            .failure(.overloaded), .failure(.tokenFailed("")), .failure(.badResponse("")),
        ]
        for answer in wrong {
            let members = [Member(loop, answer), Member(loop, status(200))]
            #expect(try ask(members).get().status == 200, "\(answer)")
        }
    }

    // Its copy is shorter than what is here of the blob: another may have all of it (UP-4).
    @Test func oneThatHasNoRestIsPassedOver() throws {
        let rest = UpstreamRequest(.get, .layer("a"), offset: 5)
        let members = [Member(loop, status(416)), Member(loop, status(206))]
        #expect(try ask(members, rest).get().status == 206)
        #expect(try ask([Member(loop, status(416))], rest).get().status == 416)
    }

    @Test func theLastWordIsTheLastOnes() throws {
        for last in [404, 403, 429, 500] {
            let members = [
                Member(loop, .failure(.reset)), Member(loop, status(404)),
                Member(loop, status(last)),
            ]
            #expect(try ask(members).get().status == last)
            #expect(members.map(\.asked.all.count) == [1, 1, 1])
        }
        // "Does not exist" of a mirror is no answer while the registry itself cannot be asked.
        let members = [Member(loop, status(404)), Member(loop, .failure(.resolve(host: "b")))]
        guard case .failure(.resolve) = try ask(members) else {
            Issue.record("a mirror's 404 counted")
            return
        }
    }

    // UP-2: the silent ones do not use up the time of the last.
    @Test func silentOnesLeaveTimeForTheLast() throws {
        let members = [
            Member(loop, status(200), delay: .seconds(100)),
            Member(loop, status(200), delay: .seconds(100)), Member(loop, status(200)),
        ]
        let start = loop.now
        #expect(try ask(members).get().status == 200)
        let asked = try #require(members[2].asked.all.first)
        #expect(asked.deadline == start + .seconds(13))
        #expect(members.map(\.asked.all.count) == [1, 1, 1])
    }

    @Test func aBodyThatWasInterruptedGoesOnAtTheNextWithoutAForeignEntityTag() throws {
        for resumption in 0..<5 {
            let members = [Member(loop, status(206)), Member(loop, status(206))]
            var request = UpstreamRequest(.get, .layer("library/a"), offset: 9, ifRange: "\"x\"")
            request.resumption = resumption
            _ = try ask(members, request)
            #expect(members[resumption % 2].asked.all.map(\.offset) == [9])
            #expect(members[resumption % 2].asked.all.map(\.ifRange) == [nil])
        }
    }

    @Test func theNextPageIsAskedOfWhoGaveTheLast() throws {
        let name = try #require(RepositoryName(parsing: "library/a"))
        let first = UpstreamResponse(status: 200, next: "/v2/library/a/tags/list?last=b")
        let members = [Member(loop, status(404)), Member(loop, .success(first))]
        let page = try ask(members, UpstreamRequest(.get, .tags(name, limit: 1, last: nil))).get()
        let link = try #require(page.next)
        _ = try ask(members, UpstreamRequest(.get, .next(name, link: link)))
        #expect(members.map(\.asked.all.count) == [1, 2])
        guard case .next(_, let asked)? = members[1].asked.all.last?.resource else {
            Issue.record("no page asked for")
            return
        }
        #expect(asked == first.next)
    }
}

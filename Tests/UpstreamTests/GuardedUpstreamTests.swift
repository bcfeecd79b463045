import Reactor
import Synchronization
import Testing

@testable import Upstream

/// Breaker and retries in front of an upstream, on a simulated loop (UP-8, P14).
@Suite struct GuardedUpstreamTests {
    typealias Answer = Result<UpstreamResponse, UpstreamError>

    /// Answers as a test says, each after `delay`.
    private final class Scripted: UpstreamClient {
        let loop: EventLoop
        let answers: Mutex<[Answer]>
        let last: Answer
        let delay: Duration
        /// When it was asked.
        let asked = Recorder<Instant>()

        init(
            _ loop: EventLoop, _ answers: [Answer] = [], then last: Answer,
            delay: Duration = .zero
        ) {
            self.loop = loop
            self.answers = Mutex(answers)
            self.last = last
            self.delay = delay
        }

        func send(_ request: UpstreamRequest) async throws(UpstreamError) -> UpstreamResponse {
            asked.append(loop.now)
            if delay > .zero { await loop.sleep(for: delay) }
            return try answers.withLock { $0.isEmpty ? last : $0.removeFirst() }.get()
        }
    }

    /// A simulated loop, an upstream, its guard, and what clients got with the time it took.
    private final class Scene {
        let loop: EventLoop
        let inner: Scripted
        let guarded: GuardedUpstream
        let got = Recorder<(Answer, Duration)>()
        let changes = Recorder<Breaker.Change>()

        init(
            seed: UInt64 = 1, _ answers: [Answer] = [], then last: Answer,
            delay: Duration = .zero
        ) {
            loop = EventLoop(simulating: seed, clock: ManualClock())
            inner = Scripted(loop, answers, then: last, delay: delay)
            var events = GuardedUpstream.Events()
            events.changed = { [changes] change, _ in changes.append(change) }
            guarded = GuardedUpstream(inner, loop: loop, seed: seed, events: events)
        }

        func ask(_ tag: String = "latest", wait: Duration = .seconds(20)) {
            loop.spawn { [loop, guarded, got] in
                let start = loop.now
                let answer: Answer
                do throws(UpstreamError) {
                    answer = .success(
                        try await guarded.send(UpstreamRequest(.get, .tag("library/a", tag))))
                } catch {
                    answer = .failure(error)
                }
                got.append((answer, loop.now - start))
            }
            loop.advance(by: wait)
        }
    }

    private static let down = Answer.failure(.connect(host: "a", detail: "refused"))
    private static func status(_ status: Int, retryAfter: Duration? = nil) -> Answer {
        .success(UpstreamResponse(status: status, retryAfter: retryAfter))
    }

    @Test(arguments: UInt64(0)..<20)
    func aPassingFailureIsRepeatedAfterAPause(seed: UInt64) throws {
        for failure in [
            Self.down, .failure(.reset), .failure(.elsewhere(.reset)), Self.status(503),
        ] {
            let scene = Scene(seed: seed, [failure, failure], then: Self.status(200))
            scene.ask()
            #expect(try scene.got.all.first?.0.get().status == 200, "seed \(seed)")
            let asked = scene.inner.asked.all
            #expect(asked.count == 3)
            for (earlier, later) in zip(asked, asked.dropFirst()) {
                #expect((.milliseconds(100) ... .seconds(2)).contains(later - earlier))
            }
        }
    }

    @Test func anAnswerIsNotRepeated() throws {
        let finals: [Answer] = [
            Self.status(200), Self.status(404), Self.status(401), Self.status(403),
            Self.status(429), Self.status(501), Self.status(503, retryAfter: .seconds(9)),
            .failure(.tls(host: "a", detail: "expired")), .failure(.tokenDenied(status: 401)),
            .failure(.refusedAddress(host: "a", address: "10.0.0.1")), .failure(.cancelled),
        ]
        for final in finals {
            let scene = Scene(then: final)
            scene.ask()
            #expect(scene.inner.asked.all.count == 1, "\(final)")
        }
    }

    @Test func whoHasWaitedLongIsNotKeptWaiting() {
        let scene = Scene(then: .failure(.timeout(.connect)), delay: .seconds(3))
        scene.ask()
        #expect(scene.inner.asked.all.count == 1)
        #expect(scene.got.all.map(\.1) == [.seconds(3)])
    }

    @Test func anOpenBreakerRefusesAtOnceUntilAProbeSucceeds() throws {
        let scene = Scene(
            Array(repeating: Self.down, count: 5), then: Self.status(200))
        scene.ask("a", wait: .seconds(4))
        scene.ask("b", wait: .milliseconds(4500))
        #expect(scene.inner.asked.all.count == 5)
        for tag in ["c", "d", "e"] { scene.ask(tag, wait: .milliseconds(1)) }
        #expect(scene.inner.asked.all.count == 5, "nothing is sent")
        for (answer, time) in scene.got.all.suffix(3) {
            #expect(time == .zero)
            guard case .failure(.breakerOpen(let retryAfter, let cause)) = answer else {
                Issue.record("\(answer)")
                continue
            }
            #expect(retryAfter <= .seconds(5))
            #expect(cause.contains("refused"))
        }
        scene.loop.advance(by: .seconds(5))
        scene.ask("f", wait: .seconds(1))
        #expect(try scene.got.all.last?.0.get().status == 200)
        #expect(scene.changes.all == [.opened(.seconds(5)), .closed])
    }

    @Test func whatIsNoFaultOfTheUpstreamOpensNothing() {
        let harmless: [Answer] = [
            Self.status(404), Self.status(403), Self.status(429), Self.status(501),
            Self.status(505), .failure(.elsewhere(.timeout(.connect))), .failure(.overloaded),
            .failure(.cancelled), .failure(.timeout(.queue)), .failure(.tokenDenied(status: 403)),
            .failure(.tooManyRequests(retryAfter: nil)),
        ]
        for answer in harmless {
            let scene = Scene(then: answer)
            for number in 0..<30 { scene.ask("t\(number)", wait: .milliseconds(10)) }
            #expect(scene.changes.all.isEmpty, "\(answer)")
        }
    }

    @Test func whatIsItsFaultOpensIt() {
        let faults: [Answer] = [
            Self.down, Self.status(500), Self.status(502), Self.status(503), Self.status(504),
            .failure(.resolve(host: "a")), .failure(.tls(host: "a", detail: "")),
            .failure(.timeout(.firstByte)), .failure(.reset), .failure(.tokenFailed("")),
            .failure(.badResponse("")),
        ]
        for answer in faults {
            let scene = Scene(then: answer)
            for number in 0..<6 { scene.ask("t\(number)", wait: .milliseconds(10)) }
            scene.loop.advance(by: .seconds(4))
            #expect(scene.changes.all == [.opened(.seconds(5))], "\(answer)")
        }
    }

    // UP-2, P14: retries stay within the caller's deadline.
    @Test(arguments: UInt64(0)..<10)
    func theWholeTakesNoLongerThanOneRequestMay(seed: UInt64) {
        for delay in [0, 100, 1000, 2400, 12_900] {
            let scene = Scene(
                seed: seed, then: Self.down, delay: .milliseconds(delay))
            scene.ask()
            #expect(scene.got.all.count == 1)
            for (_, time) in scene.got.all { #expect(time <= .seconds(13), "\(delay)") }
        }
    }
}

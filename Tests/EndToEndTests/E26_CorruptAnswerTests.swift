import TestSupport
import Testing

/// Corrupt answers drawn at random: position, framing, interruption, resume, second attempt, and
/// clients that read alone, join, ask for a range or come back for the rest (P3, INT-1 to INT-5).
@Suite("E26 corrupt answers", .realParts)
struct E26_CorruptAnswerTests {
    // P3. `CISTERN_TEST_LONG=1`: 10,000 answers; else 500.
    @Test(.wholeMachine) func noneOfThemCompletes() throws {
        let (seed, total) = (SeededGenerator.seedOfThisRun(), isLongRun ? 10_000 : 500)
        print("E26: seed \(seed)")
        let lanes = try (0..<10).map { number in try Lane(number, seed: seed) }
        let tables = lanes.map { lane in
            DaemonConfiguration.proxy(
                lane.registry, lane.upstream, "stall_timeout = \"1s\"\nretries = 2")
        }
        let daemon = try DaemonProcess(
            DaemonConfiguration(tables, cache: "max_size = \"256MiB\""))
        let next = Monitor(0)
        let found = try concurrently(lanes.count, within: .seconds(3600)) { number in
            var tally = Tally()
            while true {
                let ordinal = next.with { value in
                    defer { value += 1 }
                    return value
                }
                guard ordinal < total else { return tally }
                try lanes[number].run(ordinal, daemon, &tally)
            }
        }
        let all = found.reduce(into: Tally()) { $0.add($1) }
        PromiseReport.add(
            "P3", "corrupt answers, \(all.clients) clients",
            figure: "\(all.completedWrong.count) of \(all.answers) completed",
            bound: "0", held: all.completedWrong.isEmpty)
        print("E26: \(all.cut) cut, \(all.refused) refused, \(all.right) right in the end")
        #expect(all.completedWrong == [], "seed \(seed)")
        #expect(all.unhealed == [], "seed \(seed): the next pull is right")
        #expect(all.hung == [], "seed \(seed): headers or an end within bounds")
        #expect(all.cut > 0 && all.refused > 0 && all.right > 0)
    }

    // INT-4: what is wrong with the first part is found out by the fetch that the client waits for.
    @Test func whoComesBackIsNotGivenTheRestOfAnotherBody() throws {
        let upstream = try LoopbackRegistry()
        let blob = TestContent(seed: 2604, size: 300 << 10)
        upstream.add(blob)
        let hasBegun = Gate()
        let broken: [UpstreamFault] = [
            .framing(.chunked), .flip(at: 10), .stall(at: 280_000, hasBegun),
            .truncate(at: 290_000),
        ]
        upstream.inject(broken, on: blob.digest, after: 0, times: 1)
        upstream.inject([.framing(.chunked)], on: blob.digest, after: 1, times: 1)
        let daemon = try DaemonProcess(DaemonConfiguration(upstream, extra: "retries = 0"))
        let puller = Puller(daemon, "/v2/docker.io/library/a")
        let first = try RawClient(puller.address)
            .request(puller.blob(blob), sink: .compare(blob)) { _ in
                hasBegun.open()
                return true
            }
        #expect(first.ending == .short && first.matchesSoFar == false)
        let rest = try RawClient.request(
            puller.address, puller.blob(blob),
            fields: [("Range", "bytes=\(first.bodyBytes)-")],
            sink: .compare(blob, offset: first.bodyBytes))
        #expect(rest.status != 206 || rest.ending == .short, "\(rest)")
        #expect(try puller.get(blob).isRight)
    }
}

/// What came of the clients of corrupt answers.
private struct Tally: Sendable {
    var answers = 0
    var clients = 0
    var cut = 0
    var refused = 0
    var right = 0
    var completedWrong: [String] = []
    var hung: [String] = []
    var unhealed: [String] = []

    mutating func add(_ other: Tally) {
        answers += other.answers
        clients += other.clients
        cut += other.cut
        refused += other.refused
        right += other.right
        completedWrong += other.completedWrong
        hung += other.hung
        unhealed += other.unhealed
    }

    mutating func note(_ answer: WireResponse, _ what: String) {
        clients += 1
        if answer.isCompleteButWrong { completedWrong.append("\(what): \(answer)") }
        if answer.ending == .timedOut { hung.append("\(what): \(answer)") }
        if answer.isRight {
            right += 1
        } else if answer.status >= 400 {
            refused += 1
        } else {
            cut += 1
        }
    }
}

/// An upstream of its own, and what is drawn for it.
private final class Lane: Sendable {
    let registry: String
    let upstream: LoopbackRegistry
    private let seed: UInt64

    init(_ number: Int, seed: UInt64) throws {
        registry = "lane\(number).example"
        upstream = try LoopbackRegistry()
        self.seed = seed
    }

    /// One corrupt answer, its clients, and a pull after it.
    func run(_ ordinal: Int, _ daemon: DaemonProcess, _ tally: inout Tally) throws {
        var generator = SeededGenerator(seed: seed &+ UInt64(ordinal) &* 0x9E37_79B9)
        let blob = TestContent(
            seed: seed &+ UInt64(ordinal), size: Lane.size(using: &generator))
        upstream.add(blob)
        let plan = CorruptPlan(blob, using: &generator)
        plan.inject(into: upstream)
        let clients = plan.clients
        let puller = Puller(daemon, "/v2/\(registry)/a")
        let answers = try concurrently(clients.count) { try clients[$0].pull(puller, blob) }
        tally.answers += 1
        for answer in answers.flatMap({ $0 }) { tally.note(answer, "\(ordinal) \(plan)") }
        upstream.heal()
        // The first may still join a corrupt transfer that somebody who came back has started.
        var next = try puller.get(blob)
        let isHealed = try poll(within: .seconds(10)) {
            if next.isRight { return true }
            tally.note(next, "\(ordinal) \(plan)")
            next = try puller.get(blob)
            return next.isRight
        }
        if !isHealed { tally.unhealed.append("\(ordinal) \(plan): \(next)") }
        upstream.forget(blob)
    }

    /// Around the borders that matter: one buffer, the withheld end, what is verified first.
    private static func size(using generator: inout SeededGenerator) -> Int64 {
        let border = [1, 16 << 10, 256 << 10, 1 << 20].randomElement(using: &generator) ?? 1
        let near = Int64(border) + Int64.random(in: -2...2, using: &generator)
        let anywhere = Int64.random(in: 1...1_500_000, using: &generator)
        return max(1, Bool.random(using: &generator) ? near : anywhere)
    }
}

/// What the upstream does wrong, attempt by attempt, and who pulls meanwhile.
private struct CorruptPlan: CustomStringConvertible {
    let size: Int64
    let digest: String
    let attempts: [[UpstreamFault]]
    let clients: [CorruptedClient]

    init(_ blob: TestContent, using generator: inout SeededGenerator) {
        size = blob.size
        digest = blob.digest
        let framing = ResponsePlan.Framing.allCases.randomElement(using: &generator) ?? .length
        var attempts: [[UpstreamFault]] = []
        // Some break off first, so that the corrupt answer is one that resumes.
        if blob.size > 1, Bool.random(using: &generator) {
            let place = Int64.random(in: 0..<blob.size, using: &generator)
            let isReset = Bool.random(using: &generator)
            attempts.append([
                .framing(framing), isReset ? .reset(at: place) : .truncate(at: place),
            ])
        }
        for _ in 0..<Int.random(in: 1...3, using: &generator) {
            attempts.append(
                [.framing(framing)] + Self.corruption(of: blob, framing, using: &generator))
        }
        self.attempts = attempts
        clients = (0..<Int.random(in: 1...4, using: &generator)).map { _ in
            CorruptedClient(blob, using: &generator)
        }
    }

    private static func corruption(
        of blob: TestContent, _ framing: ResponsePlan.Framing,
        using generator: inout SeededGenerator
    ) -> [UpstreamFault] {
        let places = [0, blob.size / 2, blob.size - 1]
        let place =
            Bool.random(using: &generator)
            ? places.randomElement(using: &generator) ?? 0
            : Int64.random(in: 0..<blob.size, using: &generator)
        switch Int.random(in: 0..<10, using: &generator) {
        case 0..<4: return [.flip(at: place)]
        case 4: return [.flip(at: place), .rangeIgnored]
        case 5: return [.extra(Int.random(in: 1...70_000, using: &generator))]
        case 6: return [.rangeShifted(by: -min(1, place)), .flip(at: place)]
        case 7:
            return [.otherBody(TestContent(seed: generator.next(), size: blob.size))]
        case 8 where framing == .length:
            return [.wrongLength(by: [-1000, -1, 1, 1000].randomElement(using: &generator) ?? 1)]
        default: return [.truncate(at: place), .flip(at: place / 2)]
        }
    }

    /// Each attempt meets its own fault; from the last on nothing is wrong any more.
    func inject(into upstream: LoopbackRegistry) {
        for (number, faults) in attempts.enumerated() {
            upstream.inject(faults, on: digest, after: number, times: 1)
        }
    }

    var description: String { "\(size) bytes, \(attempts.map { "\($0)" })" }
}

/// A client that reads all, a part, or what is missing after a cut, as containerd does.
private struct CorruptedClient: Sendable {
    private let start: Int64?
    private let comesBack: Bool

    init(_ blob: TestContent, using generator: inout SeededGenerator) {
        let isRange = Int.random(in: 0..<3, using: &generator) == 0
        start = isRange ? Int64.random(in: 0..<blob.size, using: &generator) : nil
        comesBack = Bool.random(using: &generator)
    }

    /// All answers to this client; a body put together from two is judged as one.
    func pull(_ puller: Puller, _ blob: TestContent) throws -> [WireResponse] {
        let first = try get(puller, blob, from: start ?? 0, isRange: start != nil)
        guard comesBack, first.ending == .short, first.status < 300, first.bodyBytes > 0 else {
            return [first]
        }
        let rest = (start ?? 0) + first.bodyBytes
        guard rest < blob.size else { return [first] }
        var second = try get(puller, blob, from: rest, isRange: true)
        // Right bytes at the end of wrong ones are a wrong body that completed.
        if second.status == 206, first.matchesSoFar == false { second.matchesSoFar = false }
        return [first, second]
    }

    private func get(
        _ puller: Puller, _ blob: TestContent, from offset: Int64, isRange: Bool
    ) throws -> WireResponse {
        try RawClient.request(
            puller.address, puller.blob(blob),
            fields: isRange ? [("Range", "bytes=\(offset)-")] : [],
            sink: .compare(blob, offset: offset), timeout: .seconds(40))
    }
}

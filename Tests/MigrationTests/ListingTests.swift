import OCI
import Reactor
import TestSupport
import Testing

@testable import Migration

/// Lists of a source: what is wanted of them, and where they end.
@Suite struct ListingTests {
    private func registry(_ url: String, _ loop: EventLoop) throws -> RemoteRegistry {
        try RemoteRegistry(
            .source, #require(RegistryAddress(parsing: url)), RegistryAccess(userAgent: "test"),
            on: loop)
    }

    // RES-7
    @Test func aListOfReferrersThatHasNoEndIsRefused() async throws {
        let asked = Monitor(0)
        let server = try LoopbackServer { request in
            let page = asked.with { count in
                count += 1
                return count
            }
            let entries = (0..<1000).map { number in
                MemoryRegistry.entry(Array("\(page) \(number)".utf8), MediaType.ociManifest)
            }
            var answer = ResponsePlan(
                [("Content-Type", MediaType.ociIndex)],
                body: TestContent(MemoryRegistry.index(entries)))
            if page < 30 { answer.set("Link", "<\(request.path)?page=\(page)>; rel=\"next\"") }
            return answer
        }
        let loop = try EventLoop.start(name: "list")
        defer { loop.stop() }
        let registry = try registry(server.url, loop)
        let name = try #require(RepositoryName(parsing: "a"))
        let digest = try #require(Digest(parsing: MessageDigest.of([])))
        let failure = await #expect(throws: CopyFailure.self) {
            try await registry.referrers(name, digest)
        }
        guard case .bound = failure?.cause else {
            Issue.record("\(String(describing: failure))")
            return
        }
        #expect(asked.read { $0 } <= 11)
    }

    @Test func namesThatAreGivenAreChosenFromToo() async throws {
        let source = try MemoryRegistry()
        for name in ["a", "b", "c"] { source.add(name, "1", name) }
        let loop = try EventLoop.start(name: "list")
        defer { loop.stop() }
        let names = ["a", "b", "c"].compactMap { RepositoryName(parsing: $0) }
        let scoreboard = Scoreboard()
        var filter = NameFilter()
        filter.including = ["a", "b"].compactMap { NamePattern(parsing: $0) }
        filter.excluding = ["b"].compactMap { NamePattern(parsing: $0) }
        let catalogue = RegistryCatalogue(
            source: try registry(source.url, loop),
            destination: try #require(RegistryAddress(parsing: "r.example")),
            pairs: names.map { .init(name: $0, target: $0) }, filter: filter,
            pacer: Pacer(loop, scoreboard), scoreboard: scoreboard)
        let found = Findings(scoreboard)
        try await catalogue.list(found)
        #expect(await found.items.map(\.label) == ["a:1"])
    }
}

/// When a registry is asked again.
@Suite struct PacerTests {
    @Test func aRegistryThatNamesNoTimeIsStillLeftAlone() {
        let loop = EventLoop(simulating: 1, clock: ManualClock())
        let pacer = Pacer(loop, Scoreboard())
        let tries = Monitor(0)
        let isOver = Monitor(false)
        loop.spawn {
            _ = try? await pacer.attempt { () throws(CopyFailure) -> Int in
                let count = tries.with { count in
                    count += 1
                    return count
                }
                guard count < 100_000 else { throw CopyFailure(.source, "", .interrupted) }
                throw CopyFailure(
                    .source, "", .answer(status: 429, code: "", message: ""), retryAfter: .zero)
            }
            isOver.with { $0 = true }
        }
        loop.advance(by: .seconds(10))
        #expect((2...21).contains(tries.read { $0 }))
        #expect(!isOver.read { $0 })
        // And not for ever.
        loop.advance(by: .seconds(3600))
        #expect(isOver.read { $0 })
        #expect(tries.read { $0 } < 1000)
    }
}

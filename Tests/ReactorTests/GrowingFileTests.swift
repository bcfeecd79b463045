import Glibc
import Linux
import Reactor
import Testing

@Suite struct GrowingFileTests {
    private func makeFile(total: Int64?) throws -> GrowingFile {
        GrowingFile(growing: try System.open("/dev/null", O_RDWR), total: total)
    }

    // INT-1: the end of the body is withheld until the digest agrees.
    @Test func theEndIsWithheldUntilComplete() throws {
        let file = try makeFile(total: 100_000)
        file.extend(to: 100_000)
        #expect(file.sendable(upTo: nil) == 100_000 - 16_384)
        file.complete()
        #expect(file.sendable(upTo: nil) == 100_000)
    }

    // INT-4: the end of a range waits for the whole blob, wherever the range ends.
    @Test func theEndOfARangeIsWithheldToo() throws {
        let file = try makeFile(total: 1_000_000)
        file.extend(to: 900_000)
        #expect(file.sendable(upTo: 50_000) == 50_000 - 16_384)
        #expect(file.sendable(upTo: 10) == 0)
    }

    @Test func withoutATotalTheLastBytesWrittenAreWithheld() throws {
        let file = try makeFile(total: nil)
        file.extend(to: 20_000)
        #expect(file.sendable(upTo: nil) == 20_000 - 16_384)
    }

    @Test func aFailureReleasesEveryWaiterAndNoByte() throws {
        let loop = EventLoop(simulating: 1, clock: ManualClock())
        let file = try makeFile(total: 100)
        let log = Log<GrowingFile.Phase>()
        for _ in 0..<3 {
            loop.spawn { log.add(await file.progress(beyond: 0).phase) }
        }
        loop.runUntilIdle()
        #expect(log.all.isEmpty)
        file.fail()
        loop.runUntilIdle()
        #expect(log.all == [.failed, .failed, .failed])
        #expect(file.sendable(upTo: nil) == 0)
    }

    @Test func aReleasedTokenEndsOnlyItsOwnWait() throws {
        let loop = EventLoop(simulating: 1, clock: ManualClock())
        let file = try makeFile(total: 100)
        let log = Log<Int>()
        let token = GrowingFile.makeToken()
        loop.spawn {
            _ = await file.progress(beyond: 0, token: token)
            log.add(1)
        }
        loop.spawn {
            _ = await file.progress(beyond: 0)
            log.add(2)
        }
        loop.runUntilIdle()
        file.release(token)
        loop.runUntilIdle()
        #expect(log.all == [1])
        file.fail()
        loop.runUntilIdle()
        #expect(log.all == [1, 2])
    }
}

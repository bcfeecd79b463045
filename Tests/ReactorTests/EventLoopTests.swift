import Glibc
import Linux
import Reactor
import Synchronization
import Testing

/// Collects values from wherever they come.
final class Log<Value: Sendable>: Sendable {
    private let values = Mutex<[Value]>([])
    func add(_ value: Value) { values.withLock { $0.append(value) } }
    var all: [Value] { values.withLock { $0 } }
}

/// An actor that lives on a loop.
actor Counter {
    nonisolated let loop: EventLoop
    private var value = 0

    init(loop: EventLoop) { self.loop = loop }

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    func increment() -> Int {
        loop.checkIsolated()
        value += 1
        return value
    }
}

@Suite struct EventLoopTests {
    @Test func tasksAndActorsStayOnTheirLoop() async throws {
        let loop = try EventLoop.start(name: "test")
        defer { loop.stop() }
        let counter = Counter(loop: loop)
        let isOnLoop = await withCheckedContinuation { continuation in
            loop.spawn {
                var all = loop.isCurrent
                _ = await counter.increment()
                all = all && loop.isCurrent
                await loop.yield()
                all = all && loop.isCurrent
                await loop.sleep(for: .milliseconds(1))
                continuation.resume(returning: all && loop.isCurrent)
            }
        }
        #expect(isOnLoop)
        #expect(await counter.increment() == 2)
    }

    @Test func aTaskIsNotQueuedAgainUnlessItWaits() async throws {
        let loop = try EventLoop.start(name: "test")
        defer { loop.stop() }
        let log = Log<String>()
        await withCheckedContinuation { continuation in
            loop.post {
                loop.spawn {
                    log.add("first begins")
                    await withUnsafeContinuation { $0.resume() }
                    log.add("first ends")
                }
                loop.spawn {
                    log.add("second")
                    continuation.resume()
                }
            }
        }
        #expect(log.all == ["first begins", "first ends", "second"])
    }

    @Test func aWorkersResultComesBackToTheLoop() async throws {
        let loop = try EventLoop.start(name: "test")
        defer { loop.stop() }
        let workers = try WorkerPool(threads: 2, name: "worker")
        let result = await withCheckedContinuation { continuation in
            loop.spawn {
                let wasOnLoop = await workers.run { loop.isCurrent }
                continuation.resume(returning: (wasOnLoop, loop.isCurrent))
            }
        }
        #expect(result == (false, true))
    }

    @Test func aJoinedLoopIsOnlyAMatterOfWhoAwaitsWhom() async throws {
        let first = try EventLoop.start(name: "first")
        let second = try EventLoop.start(name: "second")
        defer {
            first.stop()
            second.stop()
        }
        let counter = Counter(loop: first)
        let cameBack = await withCheckedContinuation { continuation in
            second.spawn {
                _ = await counter.increment()
                continuation.resume(returning: second.isCurrent)
            }
        }
        #expect(cameBack)
    }

    @Test func socketsWakeTheirReaderAndStaleEventsAreDropped() async throws {
        let loop = try EventLoop.start(name: "test")
        defer { loop.stop() }
        let received = await withCheckedContinuation { continuation in
            loop.spawn {
                let listener = try? System.listen(host: "127.0.0.1", port: 0, backlog: 8)
                guard let listener, let address = try? System.localAddress(listener.raw) else {
                    return continuation.resume(returning: "no listener")
                }
                let client = connectTo(address)
                let readiness = try? Readiness(listener.raw, on: loop)
                readiness?.clearReadable()
                let outcome = await readiness?.untilReadable(by: nil)
                readiness?.close()
                close(client)
                continuation.resume(returning: outcome == .ready ? "accepted" : "not ready")
            }
        }
        #expect(received == "accepted")
    }

    @Test func aWaitEndsAtItsDeadline() async throws {
        let loop = try EventLoop.start(name: "test")
        defer { loop.stop() }
        let outcome = await withCheckedContinuation { continuation in
            loop.spawn {
                guard let listener = try? System.listen(host: "127.0.0.1", port: 0, backlog: 8),
                    let readiness = try? Readiness(listener.raw, on: loop)
                else { return continuation.resume(returning: Readiness.Outcome?.none) }
                readiness.clearReadable()
                let outcome = await readiness.untilReadable(by: loop.now + .milliseconds(5))
                readiness.close()
                continuation.resume(returning: outcome)
            }
        }
        #expect(outcome == .timedOut)
    }

    private func connectTo(_ address: SocketAddress) -> Int32 {
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var target = sockaddr_in()
        target.sin_family = sa_family_t(AF_INET)
        target.sin_port = address.port.bigEndian
        target.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        withUnsafePointer(to: target) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        return fd
    }
}

@Suite struct SimulatedLoopTests {
    private func order(seed: UInt64) -> [Int] {
        let loop = EventLoop(simulating: seed, clock: ManualClock())
        let log = Log<Int>()
        for index in 0..<20 {
            loop.spawn {
                log.add(index)
                await loop.yield()
                log.add(index + 100)
            }
        }
        loop.runUntilIdle()
        return log.all
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func theSameSeedGivesTheSameOrder(seed: UInt64) {
        #expect(order(seed: seed) == order(seed: seed))
        #expect(order(seed: seed) != order(seed: seed + 1))
        #expect(Set(order(seed: seed)).count == 40)
    }

    @Test func timersFireInOrderOfTheManualClock() {
        let clock = ManualClock()
        let loop = EventLoop(simulating: 7, clock: clock)
        let log = Log<Int>()
        for delay in [30, 10, 20] {
            loop.spawn {
                await loop.sleep(for: .seconds(delay))
                log.add(delay)
            }
        }
        loop.advance(by: .seconds(15))
        #expect(log.all == [10])
        loop.advance(by: .seconds(60))
        #expect(log.all == [10, 20, 30])
    }
}

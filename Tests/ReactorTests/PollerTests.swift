import Glibc
import Linux
import Testing

@testable import Reactor

@Suite struct PollerTests {
    // The number stands for another file when the registration ends, and for the first one again
    // when it is watched anew: the kernel never heard that it was not any more.
    @Test(arguments: [[], [.exclusive]] as [Interest])
    func whatCouldNotBeTakenOutOfTheSet_isWatchedAnew(extra: Interest) throws {
        let poller = try Poller()
        var ends: [Int32] = [-1, -1]
        #expect(pipe(&ends) == 0)
        defer { for end in ends { close(end) } }
        let first = dup(ends[0])
        let other = open("/dev/null", O_RDONLY | O_CLOEXEC)
        defer { for fd in [first, other] { close(fd) } }
        var seen: [String] = []
        let old = try poller.add(first, Interest.read.union(extra)) { _ in seen.append("old") }
        #expect(dup2(other, first) == first)
        poller.remove(old)
        #expect(dup2(ends[0], first) == first)
        #expect(write(ends[1], "x", 1) == 1)
        // Its events are nobody's.
        if poller.wait(timeout: 0) { poller.dispatch() }
        #expect(seen == [])
        let new = try poller.add(first, Interest.read.union(extra)) { _ in seen.append("new") }
        if poller.wait(timeout: 0) { poller.dispatch() }
        #expect(seen == ["new"])
        poller.remove(new)
        if poller.wait(timeout: 0) { poller.dispatch() }
        #expect(seen == ["new"])
    }

    // A timer that ends a wait is no client that takes a body at its own pace.
    @Test func onlyRoomIsToldFromNothingAndFromInput() throws {
        let poller = try Poller()
        var ends: [Int32] = [-1, -1]
        #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        defer { for end in ends { close(end) } }
        #expect(!poller.wait(timeout: 0))
        #expect(!poller.hasOnlyRoom)
        _ = try poller.add(ends[0], [.read, .write, .edge]) { _ in }
        #expect(poller.wait(timeout: 0))
        #expect(poller.hasOnlyRoom)
        poller.dispatch()
        #expect(!poller.hasOnlyRoom)
        #expect(write(ends[1], "x", 1) == 1)
        #expect(poller.wait(timeout: 0))
        #expect(!poller.hasOnlyRoom)
    }
}

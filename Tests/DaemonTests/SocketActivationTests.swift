import Glibc
import Linux
import Testing

@testable import Daemon

@Suite(.serialized) struct SocketActivationTests {
    @Test func socketsForAnotherProcessAreLeftAlone() throws {
        let activation = try SocketActivation(
            environment: .variables(["LISTEN_PID": "1", "LISTEN_FDS": "1"]))
        #expect(activation.names.isEmpty)
    }

    @Test(arguments: ["0", "-1", "1025", "99999999999", "three", ""])
    func aNumberThatCannotBeIsNone(count: String) throws {
        let activation = try SocketActivation(
            environment: .variables(["LISTEN_PID": String(getpid()), "LISTEN_FDS": count]))
        #expect(activation.names.isEmpty)
    }

    /// Puts descriptors at consecutive numbers that nobody else in this process has, as systemd
    /// does, and says where they begin.
    private func place(_ descriptors: [Int32]) throws -> Int32 {
        for first in stride(from: Int32(600), to: 1000, by: 8) {
            let placed = descriptors.indices.map { index in
                fcntl(descriptors[index], F_DUPFD, first + Int32(index))
            }
            if placed == placed.indices.map({ first + Int32($0) }) { return first }
            for descriptor in placed where descriptor >= 0 { close(descriptor) }
        }
        throw Errno(EMFILE, "no consecutive descriptors are free")
    }

    private func variables(count: Int, names: String?) -> ServiceEnvironment {
        var variables = ["LISTEN_PID": String(getpid()), "LISTEN_FDS": String(count)]
        variables["LISTEN_FDNAMES"] = names
        return .variables(variables)
    }

    @Test func listeningSocketsAreHandedOverByName() throws {
        let one = try System.listen(host: "127.0.0.1", port: 0, backlog: 1)
        let two = try System.listen(host: "127.0.0.1", port: 0, backlog: 1)
        let first = try place([one.raw, two.raw, one.raw])
        var activation = try SocketActivation(
            environment: variables(count: 3, names: "registry:admin:registry"), first: first)
        #expect(activation.names == ["registry", "admin"])
        var taken: [Int32] = []
        activation.take(named: "registry") { descriptor in
            taken.append(descriptor.raw)
            #expect(fcntl(descriptor.raw, F_GETFD) == FD_CLOEXEC)
            #expect(fcntl(descriptor.raw, F_GETFL) & O_NONBLOCK != 0)
        }
        #expect(taken == [first, first + 2])
        #expect(activation.names == ["admin"])
        activation.take(named: "registry") { _ in Issue.record("taken twice") }
    }

    @Test func socketsThatNobodyTookAreClosed() throws {
        let one = try System.listen(host: "127.0.0.1", port: 0, backlog: 1)
        let first = try place([one.raw])
        do {
            let activation = try SocketActivation(
                environment: variables(count: 1, names: nil), first: first)
            #expect(activation.names == ["unknown"])
        }
        #expect(fcntl(first, F_GETFD) == -1)
    }

    @Test func whatDoesNotListenIsRefusedWithItsName() throws {
        let datagrams = FileDescriptor(
            owning: socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0))
        let file = try System.open("/dev/null", O_RDONLY)
        for (raw, reason) in [(datagrams.raw, "is not listening"), (file.raw, "is not a socket")] {
            let first = try place([raw])
            let error = #expect(throws: SocketActivation.Unusable.self) {
                _ = try SocketActivation(
                    environment: variables(count: 1, names: "registry"), first: first)
            }
            let text = try #require(error?.description)
            #expect(text.contains("\"registry\", " + reason))
            close(first)
        }
    }

    @Test func theVariablesAreRemoved() throws {
        var taken: Set<String> = []
        _ = try SocketActivation(environment: .variables([:]) { taken.insert($0) })
        #expect(taken == ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"])
    }
}

import Reactor
import Synchronization

/// Turns all clients of one proxy off at once: a reload has made it `offline`.
///
/// From then on no packet may leave, so that what runs ends, too. There is no way back: a proxy
/// that goes online again has new clients and a new switch.
package final class UpstreamSwitch: Sendable {
    private final class Member: Sendable {
        weak let client: CurlUpstream?

        init(_ client: CurlUpstream) {
            self.client = client
        }
    }

    private struct State: Sendable {
        var isOff = false
        var members: [Member] = []
    }

    private let state = Mutex(State())

    package init() {}

    /// Whether it was turned off: nothing more is to be made.
    package var isOff: Bool { state.withLock { $0.isOff } }

    /// Has `client` turned off with the others, for as long as it is in use.
    package func add(_ client: CurlUpstream) {
        let isOff = state.withLock { state in
            // Those of clients' own logins come and go.
            state.members.removeAll { $0.client == nil }
            if !state.isOff { state.members.append(Member(client)) }
            return state.isOff
        }
        if isOff { turnOff([client]) }
    }

    /// Ends what runs and has everything that is asked for refused.
    package func turnOff() {
        let members = state.withLock { state in
            state.isOff = true
            defer { state.members = [] }
            return state.members.compactMap(\.client)
        }
        turnOff(members)
    }

    private func turnOff(_ clients: [CurlUpstream]) {
        for client in clients { client.loop.spawn { await client.turnOff() } }
    }
}

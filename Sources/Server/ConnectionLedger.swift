import Linux
import Synchronization
import Telemetry

/// Counts connections in all and per address; shared by all loops (RES-6).
final class ConnectionLedger: Sendable {
    /// An IPv4 address or an IPv6 /64: what one client can be expected to have to itself.
    struct Address: Hashable, Sendable {
        private let bits: UInt64
        private let isV4: Bool

        init(_ peer: SocketAddress) {
            let bytes = peer.bytes
            isV4 = bytes.count == 4
            bits = bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
        }
    }

    private struct State {
        var total = 0
        var perAddress: [Address: Int] = [:]
    }

    private let state = Mutex(State())
    private let totalMax: Int
    private let perAddressMax: Int

    init(totalMax: Int, perAddressMax: Int) {
        self.totalMax = totalMax
        self.perAddressMax = perAddressMax
    }

    var total: Int { state.withLock { $0.total } }

    var isFull: Bool { total >= totalMax }

    /// Counts one more connection of `address`, or says why not.
    func admit(_ address: Address) -> RejectionReason? {
        state.withLock { state in
            guard state.total < totalMax else { return .connections }
            let count = state.perAddress[address] ?? 0
            guard count < perAddressMax else { return .address }
            state.total += 1
            state.perAddress[address] = count + 1
            return nil
        }
    }

    /// Takes one connection of `address` off again.
    func release(_ address: Address) {
        state.withLock { state in
            state.total -= 1
            guard let count = state.perAddress[address] else { return }
            state.perAddress[address] = count > 1 ? count - 1 : nil
        }
    }
}

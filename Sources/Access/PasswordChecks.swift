import Reactor
import Synchronization

/// Checks passwords against their hashes on threads of its own, few at once (AUTH-9).
///
/// What was found out is remembered for a while by a keyed hash of name, password and stored hash,
/// so that a pull of twenty blobs costs one check; a changed password file changes the hash.
final class PasswordChecks: Sendable {
    enum Verdict: Sendable { case right, wrong, busy }

    /// Checks that run at once: as many as `hashers` should have threads.
    static let atOnceMax = 4
    /// How long one waits for its turn.
    static let waitMax = Duration.seconds(2)
    /// Different ones that wait; one more is refused at once.
    private static let waitingMax = 256
    private static let rememberedMax = 4096
    /// How long it is believed.
    private static let memory = Duration.seconds(300)

    private typealias Key = [UInt8]

    /// One check under way.
    private final class Check: Sendable {
        let result = Promise<Bool>()
        /// Nobody left: not worth the work any more.
        let waiters = Mutex(0)
    }

    private struct State {
        var checks: [Key: Check] = [:]
        var remembered: [Key: (isRight: Bool, until: Instant)] = [:]
    }

    private let hashers: WorkerPool
    private let keyed: KeyedHash
    private let matches: @Sendable ([UInt8], String) -> Bool
    private let state = Mutex(State())

    init(
        hashers: WorkerPool, keyed: KeyedHash,
        matches: @escaping @Sendable ([UInt8], String) -> Bool = PasswordHash.matches
    ) {
        self.hashers = hashers
        self.keyed = keyed
        self.matches = matches
    }

    /// Whether this is the password; `mayBeRight` is false for names that do not exist, which take
    /// as long.
    func check(
        _ name: [UInt8], _ password: [UInt8], against hash: String, mayBeRight: Bool,
        on loop: EventLoop
    ) async -> Verdict {
        let key = keyed.hash(
            "password", name, password, Array(hash.utf8), [mayBeRight ? 1 : 0])
        switch turn(key, loop.now) {
        case .known(let isRight): return isRight ? .right : .wrong
        case .full: return .busy
        case .join(let check): return await wait(for: check, on: loop)
        case .begin(let check):
            loop.spawn { [self] in
                let isRight = await hashers.run { [matches] () -> Bool? in
                    guard check.waiters.withLock({ $0 > 0 }) else { return nil }
                    // Both are worked out, so that the time says nothing.
                    let isRight = matches(password, hash)
                    return isRight && mayBeRight
                }
                ended(key, isRight, loop.now)
                check.result.fulfil(isRight ?? false)
            }
            return await wait(for: check, on: loop)
        }
    }

    private enum Turn {
        case known(Bool)
        case join(Check)
        case begin(Check)
        case full
    }

    private func turn(_ key: Key, _ now: Instant) -> Turn {
        state.withLock { state in
            if let known = state.remembered[key], known.until > now { return .known(known.isRight) }
            if let check = state.checks[key] {
                let isWanted = check.waiters.withLock { waiters in
                    guard waiters > 0 else { return false }
                    waiters += 1
                    return true
                }
                // One that nobody waited for any more is on its way out.
                return isWanted ? .join(check) : .full
            }
            guard state.checks.count < Self.atOnceMax + Self.waitingMax else { return .full }
            let check = Check()
            check.waiters.withLock { $0 = 1 }
            state.checks[key] = check
            return .begin(check)
        }
    }

    private func wait(for check: Check, on loop: EventLoop) async -> Verdict {
        let isRight = await check.result.value(within: Self.waitMax, on: loop)
        check.waiters.withLock { $0 -= 1 }
        guard let isRight else { return .busy }
        return isRight ? .right : .wrong
    }

    private func ended(_ key: Key, _ isRight: Bool?, _ now: Instant) {
        state.withLock { state in
            state.checks[key] = nil
            guard let isRight else { return }
            if state.remembered.count >= Self.rememberedMax {
                state.remembered = state.remembered.filter { $0.value.until > now }
            }
            if state.remembered.count >= Self.rememberedMax {
                // Guesses go before what was right.
                let dropped = state.remembered.filter { !$0.value.isRight }.keys
                for key in dropped { state.remembered[key] = nil }
            }
            guard state.remembered.count < Self.rememberedMax else { return }
            state.remembered[key] = (isRight, now + Self.memory)
        }
    }
}

import API
import Reactor
import Registry
import Store
import Synchronization

/// Whether the daemon could serve a pull: looked at from time to time, for `/readyz` and for the
/// service manager's watchdog (OPS-3).
final class Health: Sendable {
    /// How often the store is probed.
    private static let interval = Duration.seconds(3)
    /// How old a good probe may be.
    private static let ageMax = Duration.seconds(10)

    private let runtime: Runtime
    private let lastGood: Atomic<Int64>
    private let stopping = Atomic<Bool>(false)

    init(_ runtime: Runtime) {
        self.runtime = runtime
        lastGood = Atomic(runtime.home.now.nanoseconds)
    }

    var isStopping: Bool {
        get { stopping.load(ordering: .relaxed) }
        set { stopping.store(newValue, ordering: .relaxed) }
    }

    /// The loop turned, the index answered and the disk took a file within the last 10 s.
    private var isGood: Bool {
        let good = Instant(nanoseconds: lastGood.load(ordering: .relaxed))
        return runtime.home.now - good <= Self.ageMax
    }

    /// What `/readyz` looks at.
    var checks: [AdminHandler.Check] {
        [
            AdminHandler.Check("store") { [self] in isGood },
            AdminHandler.Check("not stopping") { [self] in !isStopping },
        ]
    }

    /// Probes on the home loop for ever; call on it.
    func start() {
        runtime.home.spawn { [self] in
            while !isStopping {
                await probe()
                await runtime.home.sleep(for: Self.interval)
            }
        }
        guard let interval = runtime.notifier.watchdogInterval else { return }
        runtime.home.spawn { [self] in
            while !isStopping {
                if isGood { runtime.notifier.watchdog() }
                await runtime.home.sleep(for: interval)
            }
        }
    }

    /// Every loop turns, the disk takes a file, and the way of a hit leads to its end.
    private func probe() async {
        for loop in runtime.loops { await Self.turn(of: loop) }
        guard await storeAnswers(), await runtime.content.answersPulls() else { return }
        lastGood.store(runtime.home.now.nanoseconds, ordering: .relaxed)
    }

    /// A disk without room answers too: pulls go on without it, and a restart makes no room.
    private func storeAnswers() async -> Bool {
        do throws(StoreError) {
            try await runtime.store.probe()
            return true
        } catch {
            return error.isLackOfRoom
        }
    }

    private static func turn(of loop: EventLoop) async {
        await withUnsafeContinuation { (done: UnsafeContinuation<Void, Never>) in
            loop.post { done.resume() }
        }
    }
}

extension StoreError {
    fileprivate var isLackOfRoom: Bool {
        switch self {
        case .full: true
        default: false
        }
    }
}

import API
import Index
import Reactor
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

    private func probe() async {
        guard (try? await runtime.store.probe()) != nil,
            (try? runtime.store.index.newestUse()) != nil
        else { return }
        lastGood.store(runtime.home.now.nanoseconds, ordering: .relaxed)
    }
}

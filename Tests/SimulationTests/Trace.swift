import Synchronization

/// Everything that happened in a run, in order, if somebody wants to know.
final class Trace: Sendable {
    private let kept = Mutex<[String]>([])
    private let keepsLines: Bool

    init(keepsLines: Bool) {
        self.keepsLines = keepsLines
    }

    func add(_ line: @autoclosure () -> String) {
        guard keepsLines else { return }
        let line = line()
        kept.withLock { $0.append(line) }
    }

    /// What two runs of one seed have in common.
    var lines: [String] { kept.withLock { $0 } }
}

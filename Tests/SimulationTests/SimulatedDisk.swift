import CFaults
import CSimulation
import Glibc
import Reactor

/// What the disk does to the daemon: calls that fail now and then, and the moment of a kill.
///
/// Stands between the daemon and the kernel for all that Store, Index and SQLite ask of files,
/// while the daemon's turns run, and nowhere else.
final class SimulatedDisk {
    /// The part of all calls that fail.
    var faultShare = 0.0
    private var generator: SeededGenerator
    private let trace: Trace
    /// Before which call the files are taken as a kill leaves them, and where to.
    private var kill: (after: Int, from: String, to: String)?
    /// Whether the files were taken.
    private(set) var isKilled = false
    /// Why they could not be.
    private(set) var failure: Int32 = 0

    init(seed: UInt64, trace: Trace) {
        generator = SeededGenerator(seed: seed)
        self.trace = trace
    }

    /// Takes the files below `root` to `target` just before one of the next calls.
    func killSoon(_ root: String, to target: String) {
        kill = (Int.random(in: 0..<60, using: &generator), root, target)
        isKilled = false
    }

    /// Whether a kill is under way.
    var isKilling: Bool { kill != nil || isKilled }

    /// Takes them now, unless that has happened; the kill is over.
    func finishKill() -> Bool {
        if !isKilled { takeFiles() }
        isKilled = false
        return failure == 0
    }

    /// Runs `body` with this disk.
    func during<Result>(_ body: () -> Result) -> Result {
        cfaults_hook(
            { context, operation in
                guard let context, let operation else { return 0 }
                return Unmanaged<SimulatedDisk>.fromOpaque(context).takeUnretainedValue()
                    .before(&operation.pointee)
            }, nil, Unmanaged.passUnretained(self).toOpaque())
        defer { cfaults_unhook() }
        return body()
    }

    private func before(_ operation: inout cfaults_operation) -> Int32 {
        if let pending = kill {
            if pending.after == 0 { takeFiles() } else { kill?.after -= 1 }
        }
        guard faultShare > 0, Double.random(in: 0..<1, using: &generator) < faultShare else {
            return 0
        }
        let error = fault(&operation)
        if error != 0 { trace.add("disk: call \(operation.call.rawValue) fails with \(error)") }
        return error
    }

    private func takeFiles() {
        guard let kill else { return }
        self.kill = nil
        isKilled = true
        // Its own calls go through the same door.
        let share = faultShare
        faultShare = 0
        defer { faultShare = share }
        failure = csimulation_copy_tree(kill.from, kill.to) == 0 ? 0 : errno
    }

    private func fault(_ operation: inout cfaults_operation) -> Int32 {
        switch operation.call {
        case CFAULTS_PWRITE:
            guard Bool.random(using: &generator), operation.count > 1 else {
                return draw(ENOSPC, EIO)
            }
            operation.count = Int.random(in: 1..<operation.count, using: &generator)
            return 0
        case CFAULTS_OPEN:
            return operation.flags & O_CREAT != 0 ? draw(ENOSPC, EMFILE) : draw(EIO, EMFILE)
        case CFAULTS_ALLOCATE: return draw(ENOSPC, EOPNOTSUPP)
        case CFAULTS_RENAME: return draw(ENOSPC, EIO)
        case CFAULTS_MKDIR: return operation.path == nil ? EIO : draw(ENOSPC, EIO)
        case CFAULTS_CLOSE, CFAULTS_FLOCK: return 0
        default: return EIO
        }
    }

    private func draw(_ one: Int32, _ other: Int32) -> Int32 {
        Bool.random(using: &generator) ? one : other
    }
}

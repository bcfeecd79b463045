import CFaults
import Glibc

/// Lets calls of the calling thread fail, one after the other or from one on (P6, DUR-2).
final class FaultInjector {
    /// What happens to a call.
    enum Fault: Hashable, Sendable {
        case error(Int32)
        /// Half of the bytes are read or written, and it says so.
        case short
    }

    /// Which calls of a run are hit.
    struct Plan: Sendable, CustomStringConvertible {
        let fault: Fault
        /// The number of the first, from 0.
        let first: Int
        /// How many in a row; only those that can fail that way.
        let count: Int

        var description: String {
            let what =
                switch fault {
                case .error(let code): String(cString: strerror(code))
                case .short: "a short count"
                }
            return "\(what) at call \(first)\(count > 1 ? " and \(count - 1) more" : "")"
        }
    }

    private let plan: Plan?
    /// The calls so far, in order.
    private(set) var calls: [cfaults_call] = []
    /// What was hit: the number of the call among the kinds of `cfaults_call`, and its file.
    private(set) var hits: [String] = []
    /// Files whose sync has failed, and whether one of them was synced again.
    private var failedSyncs: Set<UInt64> = []
    private(set) var hasRetriedSync = false

    init(_ plan: Plan? = nil) {
        self.plan = plan
    }

    /// Runs `body` on this thread with the faults.
    func run(_ body: () throws -> Void) rethrows {
        cfaults_hook(
            { context, operation in
                guard let context, let operation else { return 0 }
                return Unmanaged<FaultInjector>.fromOpaque(context).takeUnretainedValue()
                    .before(&operation.pointee)
            }, nil, Unmanaged.passUnretained(self).toOpaque())
        defer { cfaults_unhook() }
        try body()
    }

    private func before(_ operation: inout cfaults_operation) -> Int32 {
        let number = calls.count
        calls.append(operation.call)
        let isSync = operation.call == CFAULTS_FSYNC || operation.call == CFAULTS_FDATASYNC
        if isSync, let inode = Self.inode(operation.fd), failedSyncs.contains(inode) {
            hasRetriedSync = true
        }
        guard let plan, number >= plan.first, number < plan.first + plan.count,
            Self.faults(of: operation.call).contains(plan.fault)
        else { return 0 }
        hits.append("\(operation.call.rawValue) of \(Self.path(operation))")
        switch plan.fault {
        case .short:
            if operation.count > 1 { operation.count /= 2 }
            return 0
        case .error(let code):
            if isSync, code != EINTR, let inode = Self.inode(operation.fd) {
                failedSyncs.insert(inode)
            }
            return code
        }
    }

    private static func path(_ operation: cfaults_operation) -> String {
        if let path = operation.path { return String(cString: path) }
        return path(of: operation.fd)
    }

    private static func path(of descriptor: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: 512)
        let count = readlink("/proc/self/fd/\(descriptor)", &buffer, buffer.count)
        return String(
            decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The number of a file of the store; not of the index, whose log SQLite writes anew.
    private static func inode(_ descriptor: Int32) -> UInt64? {
        let path = path(of: descriptor)
        guard path.contains("/blobs/") else { return nil }
        var status = stat()
        // Not fstat, which would come back to the hook.
        guard stat(path, &status) == 0 else { return nil }
        return status.st_mode & S_IFMT == S_IFREG ? UInt64(status.st_ino) : nil
    }

    /// How a call may fail in life.
    static func faults(of call: cfaults_call) -> [Fault] {  // flat switch
        switch call {
        case CFAULTS_OPEN:
            [EIO, ENOSPC, EMFILE, ENFILE, ENOMEM, EINTR, EACCES].map { .error($0) }
        case CFAULTS_PREAD: [.short] + [EIO, EINTR].map { .error($0) }
        case CFAULTS_PWRITE: [.short] + [EIO, ENOSPC, EDQUOT, EINTR].map { .error($0) }
        case CFAULTS_TRUNCATE: [EIO, EINTR].map { .error($0) }
        case CFAULTS_ALLOCATE: [EIO, ENOSPC, EDQUOT, EOPNOTSUPP, EINTR].map { .error($0) }
        case CFAULTS_FSYNC, CFAULTS_FDATASYNC: [EIO, ENOSPC, EDQUOT, EINTR].map { .error($0) }
        case CFAULTS_RENAME, CFAULTS_MKDIR: [EIO, ENOSPC, EDQUOT, ENOMEM].map { .error($0) }
        case CFAULTS_UNLINK: [EIO, ENOMEM].map { .error($0) }
        case CFAULTS_FLOCK: [EIO, ENOLCK, EINTR].map { .error($0) }
        case CFAULTS_STAT: [EIO, ENOMEM].map { .error($0) }
        default: []
        }
    }
}

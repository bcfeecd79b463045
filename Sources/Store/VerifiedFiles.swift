import Linux
import OCI
import Synchronization

/// Which files were verified in this run and look as they did then (INT-9), in constant memory.
///
/// Keeps a fingerprint of digest and identity in a table of fixed size, eight to a set, the least
/// recently used of a set replaced: 131,072 files in 1 MiB, however many are stored. What falls out
/// is verified again when it is served next. Fingerprints are keyed per process, so that nobody can
/// aim at one; a changed file is taken for an unchanged one by chance once in 10^14 times.
final class VerifiedFiles: Sendable {
    private static let setCount = 1 << 14
    private static let setSize = 8

    /// 0 is an empty place.
    private let table: Mutex<[UInt64]>

    init() {
        table = Mutex([UInt64](repeating: 0, count: Self.setCount * Self.setSize))
    }

    /// Remembers that the bytes of this file are those of `digest`.
    func insert(_ digest: Digest, _ identity: FileIdentity) {
        let print = Self.fingerprint(digest, identity)
        table.withLock { Self.moveToFront(print, from: nil, in: &$0) }
    }

    /// Whether that was verified in this run; a use that keeps it remembered.
    func contains(_ digest: Digest, _ identity: FileIdentity) -> Bool {
        let print = Self.fingerprint(digest, identity)
        return table.withLock { table in
            let start = Self.start(of: print)
            guard let place = table[start..<start + Self.setSize].firstIndex(of: print)
            else { return false }
            Self.moveToFront(print, from: place, in: &table)
            return true
        }
    }

    private static func moveToFront(_ print: UInt64, from place: Int?, in table: inout [UInt64]) {
        let start = start(of: print)
        var index = place ?? start + setSize - 1
        while index > start {
            table[index] = table[index - 1]
            index -= 1
        }
        table[start] = print
    }

    private static func start(of print: UInt64) -> Int {
        Int(truncatingIfNeeded: print % UInt64(setCount)) * setSize
    }

    private static func fingerprint(_ digest: Digest, _ identity: FileIdentity) -> UInt64 {
        var hasher = Hasher()
        hasher.combine(digest)
        hasher.combine(identity)
        return max(1, UInt64(bitPattern: Int64(hasher.finalize())))
    }
}

/// An amount of disk, absolute or as a share of the file system.
package enum SizeLimit: Sendable, Equatable {
    /// So many bytes.
    case bytes(Int64)
    /// So many hundredths of the file system, 1 to 100.
    case percent(Int)

    /// The limit in bytes on a file system of `total` bytes.
    package func bytes(ofFileSystem total: Int64) -> Int64 {
        switch self {
        case .bytes(let count): count
        case .percent(let share): total / 100 * Int64(share) + total % 100 * Int64(share) / 100
        }
    }
}

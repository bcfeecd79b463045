/// How much of the disk the store may take.
package struct StoreLimits: Sendable, Equatable {
    /// An amount of disk: in bytes, or as a part of the file system the store is on.
    package enum Size: Sendable, Equatable {
        case bytes(Int64)
        case fraction(Double)

        /// The amount in bytes on a file system of `total` bytes; never negative.
        package func resolved(of total: Int64) -> Int64 {
            switch self {
            case .bytes(let bytes): max(0, bytes)
            case .fraction(let part): Int64(Double(total) * min(max(part, 0), 1))
            }
        }
    }

    /// What `du` of the root may never exceed.
    package var maxSize: Size
    /// What the file system must keep free; nil: `max(5 %, 2 GiB)` (DUR-6).
    package var minFree: Size?
    /// How many complete files without readers are kept open.
    package var openFilesMax: Int

    package init(
        maxSize: Size = .fraction(0.8), minFree: Size? = nil, openFilesMax: Int = 1024
    ) {
        self.maxSize = maxSize
        self.minFree = minFree
        self.openFilesMax = openFilesMax
    }

    func minFreeBytes(of total: Int64) -> Int64 {
        guard let minFree else {
            return max(Size.fraction(0.05).resolved(of: total), 2 << 30)
        }
        return minFree.resolved(of: total)
    }
}

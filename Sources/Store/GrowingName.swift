import OCI

/// The name of a growing file in the shard directory that its blob will be in: `<hex>.<number>`.
///
/// One digest may be written more than once at a time, and leftovers of a crash may lie about: the
/// number tells them apart.
struct GrowingName: Hashable, Sendable, CustomStringConvertible {
    let digest: Digest
    let number: UInt64

    /// Nil if a file called `name` in a directory of `algorithm` is no growing file.
    init?(parsing name: String, _ algorithm: Digest.Algorithm) {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let number = UInt64(parts[1]), String(number) == parts[1],
            let digest = Digest(parsing: "\(algorithm.name):\(parts[0])")
        else { return nil }
        self.digest = digest
        self.number = number
    }

    init(_ digest: Digest, _ number: UInt64) {
        self.digest = digest
        self.number = number
    }

    var description: String { "\(digest.hex).\(number)" }

    /// Below the store's root.
    var path: String { "\(StoreLayout.shard(digest))/\(self)" }
}

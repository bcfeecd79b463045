import OCI

/// When a digest was used last, as far as the index does not know it yet.
///
/// `@unchecked Sendable`: the variables are `RecencyMarks`' own, under its lock.
final class LastUse: @unchecked Sendable {
    let digest: Digest
    var stamp: Int64 = 0
    /// The flush that will write it; an earlier one means that it is written.
    var flush: UInt64 = 0

    init(_ digest: Digest) { self.digest = digest }
}

import OCI
import Reactor

/// The place of an open file in `OpenFiles`.
///
/// `@unchecked Sendable`: the variables are `OpenFiles`' own, under its lock.
final class OpenFile: @unchecked Sendable {
    let digest: Digest
    let lastUse: LastUse
    /// Nil once it is handed out no more.
    var file: GrowingFile?
    /// Since somebody looked for one to close.
    var wasUsed = false
    /// Its position in the ring.
    var position = 0

    init(_ file: GrowingFile, _ digest: Digest) {
        self.file = file
        self.digest = digest
        lastUse = LastUse(digest)
    }
}

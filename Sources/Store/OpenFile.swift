package import OCI
import Reactor

/// The place of an open file in `OpenFiles`: who was given it once can ask for it again without
/// looking it up (`BlobStore.again`).
///
/// `@unchecked Sendable`: the variables are `OpenFiles`' own, under its lock.
package final class OpenFile: @unchecked Sendable {
    package let digest: Digest
    let lastUse: LastUse
    /// Nil once it is handed out no more.
    var file: GrowingFile?
    /// Since somebody looked for one to close.
    var wasUsed = true

    init(_ file: GrowingFile, _ digest: Digest) {
        self.file = file
        self.digest = digest
        lastUse = LastUse(digest)
    }
}

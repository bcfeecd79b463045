/// `[cache]`: the store's directory and its share of the disk.
package struct CacheConfiguration: Sendable, Equatable {
    /// The store's directory, absolute.
    package var path: String
    /// What the store may hold in file system blocks; it is never over it.
    package var maxSize: SizeLimit
    /// What the file system must keep free whatever `maxSize` says.
    package var minFree: SizeLimit
    /// How often every stored file is read and hashed again, at least; `.forever` is never.
    package var verify: Duration
    /// How much of that is read, in bytes a second.
    package var verifyRate: Int64
    /// How often it is looked for what hosted repositories need no more.
    package var collect: Duration
    /// How long a pushed blob waits for its manifest, and an upload for its client.
    package var lease: Duration
}

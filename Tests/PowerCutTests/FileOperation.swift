/// A file or directory of the model; 0 is the directory that everything lies in.
typealias Inode = Int

/// One change of the file system that a store made, or a word of the test about it.
enum FileOperation: Sendable {
    case create(Inode, isDirectory: Bool, in: Inode, name: String)
    case write(Inode, offset: Int, bytes: [UInt8])
    case truncate(Inode, size: Int)
    /// `fsync` or `fdatasync`, of a file or of a directory.
    case sync(Inode, isDirectory: Bool)
    case rename(Inode, from: Inode, name: String, to: Inode, as: String)
    case unlink(in: Inode, name: String)
    case mark(Mark)

    /// What the test knows of a moment.
    enum Mark: Sendable, Equatable {
        /// Whoever stored this was told that it is lasting.
        case stored(String)
        /// From here on anything may be evicted or discarded...
        case mayForget
        /// ... up to here; these pairs may overlap.
        case mayForgetNoMore
    }
}

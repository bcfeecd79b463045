import TestSupport

/// A file system that promises nothing but what was synced.
///
/// Bytes and size of a file last after its fsync or fdatasync, an entry of a directory after that
/// directory's fsync. Everything else may be on the disk or not, in any combination, when the power
/// fails (`CrashImage`).
struct DiskModel: Sendable {
    /// What may or may not have reached the disk of a file.
    enum Change: Sendable {
        case write(offset: Int, bytes: [UInt8])
        case truncate(size: Int)
    }

    struct File: Sendable {
        var durable: [UInt8] = []
        var pending: [Change] = []
    }

    /// What may or may not have reached the disk of a directory.
    struct Entry: Sendable {
        let name: String
        /// Nil for a name that is gone.
        let inode: Inode?
        /// The number of a rename, which both of its halves bear.
        let move: Int?
    }

    struct Directory: Sendable {
        var durable: [String: Inode] = [:]
        var pending: [Entry] = []
    }

    private(set) var files: [Inode: File] = [:]
    private(set) var directories: [Inode: Directory] = [0: Directory()]
    private var moves = 0

    init() {}

    /// What lies in a real directory, all of it lasting.
    init(reading top: String) throws {
        var byPath: [String: Inode] = [top: 0]
        var byNumber: [UInt64: Inode] = [:]
        for entry in Files.walk(top).dropFirst() {
            guard let slash = entry.path.lastIndex(of: "/"),
                let parent = byPath[String(entry.path[..<slash])]
            else { continue }
            let name = String(entry.path[entry.path.index(after: slash)...])
            let inode = byNumber[entry.inode] ?? inodesEnd
            byNumber[entry.inode] = inode
            directories[parent]?.durable[name] = inode
            if entry.isDirectory {
                byPath[entry.path] = inode
                directories[inode] = Directory()
            } else {
                files[inode] = File(durable: try Files.read(entry.path))
            }
        }
    }

    /// The first number that no inode has.
    var inodesEnd: Inode { files.count + directories.count }

    mutating func apply(_ operation: FileOperation) {
        switch operation {
        case .create(let inode, let isDirectory, let directory, let name):
            if isDirectory { directories[inode] = Directory() } else { files[inode] = File() }
            change(directory, Entry(name: name, inode: inode, move: nil))
        case .write(let inode, let offset, let bytes):
            files[inode]?.pending.append(.write(offset: offset, bytes: bytes))
        case .truncate(let inode, let size):
            files[inode]?.pending.append(.truncate(size: size))
        case .sync(let inode, let isDirectory):
            if isDirectory { syncDirectory(inode) } else { files[inode]?.sync() }
        case .rename(let inode, let from, let name, let to, let newName):
            moves += 1
            change(to, Entry(name: newName, inode: inode, move: moves))
            change(from, Entry(name: name, inode: nil, move: moves))
        case .unlink(let directory, let name):
            change(directory, Entry(name: name, inode: nil, move: nil))
        case .mark: break
        }
    }

    private mutating func change(_ directory: Inode, _ entry: Entry) {
        directories[directory]?.pending.append(entry)
    }

    private mutating func syncDirectory(_ inode: Inode) {
        guard let pending = directories[inode]?.pending else { return }
        directories[inode]?.pending = []
        for entry in pending {
            directories[inode]?.durable[entry.name] = entry.inode
            // A name that moved away is somewhere else for good: nowhere is not where it may be.
            if let move = entry.move, entry.inode == nil { settle(arrivalOf: move) }
        }
    }

    private mutating func settle(arrivalOf move: Int) {
        for (inode, directory) in directories {
            let place = directory.pending.firstIndex { $0.move == move && $0.inode != nil }
            guard let place else { continue }
            let entry = directory.pending[place]
            directories[inode]?.pending.remove(at: place)
            directories[inode]?.durable[entry.name] = entry.inode
        }
    }
}

extension DiskModel.File {
    mutating func sync() {
        for change in pending { durable.apply(change) }
        pending = []
    }
}

extension [UInt8] {
    mutating func apply(_ change: DiskModel.Change) {
        switch change {
        case .truncate(let size):
            if size < count { removeLast(count - size) } else { extend(to: size) }
        case .write(let offset, let bytes):
            extend(to: offset + bytes.count)
            withUnsafeMutableBytes { target in
                bytes.withUnsafeBytes { source in
                    UnsafeMutableRawBufferPointer(rebasing: target[offset...]).copyMemory(
                        from: source)
                }
            }
        }
    }

    /// Zeros where nothing was written.
    mutating func extend(to size: Int) {
        if size > count { append(contentsOf: [UInt8](repeating: 0, count: size - count)) }
    }
}

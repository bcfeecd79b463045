/// Runs as a store would have made them that leaves out or misplaces one step (DUR-1).
enum CarelessStore: CaseIterable {
    /// No fdatasync of a blob.
    case fileNotSynced
    /// No fsync of a shard directory after a rename.
    case shardNotSynced
    /// No fsync of the directory in which a shard was made.
    case parentNotSynced
    /// A row in the index before the file is in its place.
    case rowBeforeRename
    /// A database that is written on without its log on the disk.
    case indexNotSynced

    /// What such a store would have done instead of `operations`.
    func changed(_ operations: [FileOperation]) -> [FileOperation] {
        var names: [Inode: String] = [:]
        for case .create(let inode, _, _, let name) in operations { names[inode] = name }
        func isIndex(_ inode: Inode) -> Bool { names[inode]?.hasPrefix("index.db") == true }
        switch self {
        case .rowBeforeRename: return Self.withLateRenames(operations)
        case .fileNotSynced:
            return operations.without { !$1 && !isIndex($0) }
        case .shardNotSynced:
            return operations.without { $1 && names[$0]?.count == 2 }
        case .parentNotSynced:
            return operations.without { $1 && names[$0] == "sha256" }
        case .indexNotSynced:
            return operations.without { !$1 && isIndex($0) }
        }
    }

    /// Each rename, and the fsync that follows it, just before somebody is told.
    private static func withLateRenames(_ operations: [FileOperation]) -> [FileOperation] {
        var changed: [FileOperation] = []
        var late: [String: [FileOperation]] = [:]
        var renamed: String?
        for operation in operations {
            switch operation {
            case .rename(_, _, _, _, let name):
                late[name] = [operation]
                renamed = name
            case .sync(_, isDirectory: true):
                if let name = renamed {
                    late[name]?.append(operation)
                } else {
                    changed.append(operation)
                }
                renamed = nil
            case .mark(.stored(let name)):
                changed += late.removeValue(forKey: name) ?? []
                changed.append(operation)
            default: changed.append(operation)
            }
        }
        return changed
    }
}

extension [FileOperation] {
    /// All but the syncs that `isLeftOut` names by inode and whether that is a directory.
    fileprivate func without(_ isLeftOut: (Inode, Bool) -> Bool) -> [FileOperation] {
        filter {
            guard case .sync(let inode, let isDirectory) = $0 else { return true }
            return !isLeftOut(inode, isDirectory)
        }
    }
}

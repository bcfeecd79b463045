import TestSupport

/// What the disk may hold after the power failed: one of the many, drawn by a generator.
struct CrashImage {
    /// What a file or a directory keeps of its pending changes.
    private enum Fate: CaseIterable {
        case none, all, prefix, subset
        /// Files: each sector for itself. Directories: like `subset`.
        case torn
        /// Files: the size without the bytes. Directories: like `subset`.
        case zeros
    }

    private static let sector = 512

    private(set) var files: [Inode: [UInt8]] = [:]
    private(set) var directories: [Inode: [String: Inode]] = [:]

    /// Whether all files with pending changes share a fate, or each has its own.
    init(_ disk: DiskModel, using generator: inout some RandomNumberGenerator) {
        let shared: Fate? =
            switch Int.random(in: 0..<8, using: &generator) {
            case 0: Fate.none
            case 1: Fate.all
            default: nil
            }
        for (inode, file) in disk.files.sorted(by: { $0.key < $1.key }) {
            let fate = shared ?? Fate.allCases.randomElement(using: &generator) ?? .none
            files[inode] = Self.contents(file, fate, &generator)
        }
        var kept: [Inode: [Bool]] = [:]
        for (inode, directory) in disk.directories.sorted(by: { $0.key < $1.key }) {
            let fate = shared ?? Fate.allCases.randomElement(using: &generator) ?? .none
            kept[inode] = Self.choice(directory.pending.count, fate, &generator)
        }
        setEntries(disk, kept)
    }

    /// The image in which exactly the changes chosen by `keeps` are on the disk.
    ///
    /// `keeps` is asked for each pending change by its inode and its place there.
    init(_ disk: DiskModel, keeping keeps: (Inode, Int) -> Bool) {
        for (inode, file) in disk.files {
            var bytes = file.durable
            for (place, change) in file.pending.enumerated() where keeps(inode, place) {
                bytes.apply(change)
            }
            files[inode] = bytes
        }
        var kept: [Inode: [Bool]] = [:]
        for (inode, directory) in disk.directories {
            kept[inode] = directory.pending.indices.map { keeps(inode, $0) }
        }
        setEntries(disk, kept)
    }

    /// All that can be seen of it, to tell whether two are the same.
    var contents: [String: [UInt8]] {
        var contents: [String: [UInt8]] = [:]
        func add(_ directory: Inode, _ path: String) {
            contents[path] = []
            for (name, inode) in directories[directory] ?? [:] {
                if directories[inode] != nil {
                    add(inode, "\(path)/\(name)")
                } else {
                    contents["\(path)/\(name)"] = files[inode]
                }
            }
        }
        add(0, "")
        return contents
    }

    // MARK: - Files

    private static func contents(
        _ file: DiskModel.File, _ fate: Fate, _ generator: inout some RandomNumberGenerator
    ) -> [UInt8] {
        var bytes = file.durable
        switch fate {
        case .none, .all, .prefix, .subset:
            let kept = choice(file.pending.count, fate, &generator)
            for (change, isKept) in zip(file.pending, kept) where isKept { bytes.apply(change) }
        case .torn:
            for change in file.pending { tear(change, into: &bytes, &generator) }
        case .zeros:
            for change in file.pending {
                if case .write(let offset, let written) = change {
                    bytes.extend(to: offset + written.count)
                    if Bool.random(using: &generator) { bytes.apply(change) }
                } else if Bool.random(using: &generator) {
                    bytes.apply(change)
                }
            }
        }
        return bytes
    }

    /// Keeps some sectors of a write.
    private static func tear(
        _ change: DiskModel.Change, into bytes: inout [UInt8],
        _ generator: inout some RandomNumberGenerator
    ) {
        guard case .write(let offset, let written) = change else {
            if Bool.random(using: &generator) { bytes.apply(change) }
            return
        }
        var start = 0
        while start < written.count {
            let end = min(written.count, start + sector - (offset + start) % sector)
            if Bool.random(using: &generator) {
                let piece = Array(written[start..<end])
                bytes.apply(.write(offset: offset + start, bytes: piece))
            }
            start = end
        }
    }

    private static func choice(
        _ count: Int, _ fate: Fate, _ generator: inout some RandomNumberGenerator
    ) -> [Bool] {
        switch fate {
        case .none: return Array(repeating: false, count: count)
        case .all: return Array(repeating: true, count: count)
        case .prefix:
            let end = Int.random(in: 0...count, using: &generator)
            return (0..<count).map { $0 < end }
        case .subset, .torn, .zeros:
            return (0..<count).map { _ in Bool.random(using: &generator) }
        }
    }

    // MARK: - Directories

    /// A moved file may be found under its new name, its old one or both, but not nowhere, and
    /// within one directory not under both.
    private mutating func setEntries(_ disk: DiskModel, _ kept: [Inode: [Bool]]) {
        var arrivals: [Int: (directory: Inode, isKept: Bool)] = [:]
        for (inode, directory) in disk.directories {
            for (entry, isKept) in zip(directory.pending, kept[inode] ?? []) {
                guard let move = entry.move, entry.inode != nil else { continue }
                arrivals[move] = (inode, isKept)
            }
        }
        for (inode, directory) in disk.directories {
            var entries = directory.durable
            for (entry, isDrawn) in zip(directory.pending, kept[inode] ?? []) {
                var isKept = isDrawn
                if let move = entry.move, entry.inode == nil, let arrival = arrivals[move] {
                    isKept = arrival.directory == inode ? arrival.isKept : isKept && arrival.isKept
                }
                if isKept { entries[entry.name] = entry.inode }
            }
            directories[inode] = entries
        }
    }

    // MARK: - Real files

    /// Makes the image in an existing empty directory.
    func write(to top: String) throws {
        var made: [Inode: String] = [:]
        try write(0, to: top, &made)
    }

    private func write(_ directory: Inode, to path: String, _ made: inout [Inode: String]) throws {
        try Files.makeDirectory(path, mode: 0o700)
        for (name, inode) in directories[directory] ?? [:] {
            let full = "\(path)/\(name)"
            if directories[inode] != nil {
                try write(inode, to: full, &made)
            } else if let other = made[inode] {
                try Files.link(other, full)
            } else {
                try Files.write(full, files[inode] ?? [], mode: 0o600)
                made[inode] = full
            }
        }
    }
}

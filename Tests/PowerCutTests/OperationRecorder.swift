import CFaults
import Glibc
import TestSupport

/// Writes down what the calling thread does to the files below a directory.
///
/// Everything is done by one thread, since the store runs on a simulated loop: what is recorded is
/// in the order in which it happened.
///
/// `@unchecked Sendable`: only touched on the thread that records.
final class OperationRecorder: @unchecked Sendable {
    private let top: String
    private(set) var operations: [FileOperation] = []
    /// What the directory held before, all of it lasting.
    let initial: DiskModel
    private var directories: [Inode: [String: Inode]]
    private var open: [Int32: Inode] = [:]
    private var nextInode: Inode

    /// Begins with what lies in `top`.
    init(_ top: String) throws {
        self.top = top
        initial = try DiskModel(reading: top)
        directories = initial.directories.mapValues { $0.durable }
        nextInode = initial.inodesEnd
    }

    /// Records what `body` does on this thread.
    func record(_ body: () throws -> Void) rethrows {
        cfaults_hook(
            nil,
            { context, operation in
                guard let context, let operation else { return }
                Unmanaged<OperationRecorder>.fromOpaque(context).takeUnretainedValue()
                    .note(operation.pointee)
            }, Unmanaged.passUnretained(self).toOpaque())
        defer { cfaults_unhook() }
        try body()
    }

    func mark(_ mark: FileOperation.Mark) { operations.append(.mark(mark)) }

    // MARK: - Calls

    private func note(_ operation: cfaults_operation) {  // flat switch
        switch operation.call {
        case CFAULTS_OPEN: noteOpen(operation)
        case CFAULTS_CLOSE: open[operation.fd] = nil
        case CFAULTS_PWRITE:
            guard let inode = open[operation.fd], let bytes = operation.bytes else { return }
            let written = UnsafeRawBufferPointer(start: bytes, count: operation.result)
            operations.append(
                .write(inode, offset: Int(operation.offset), bytes: Array(written)))
        case CFAULTS_TRUNCATE:
            guard let inode = open[operation.fd] else { return }
            operations.append(.truncate(inode, size: Int(operation.offset)))
        case CFAULTS_FSYNC, CFAULTS_FDATASYNC:
            guard let inode = open[operation.fd] else { return }
            operations.append(.sync(inode, isDirectory: directories[inode] != nil))
        case CFAULTS_RENAME: noteRename(operation)
        case CFAULTS_UNLINK:
            guard let place = place(operation.fd, operation.path) else { return }
            directories[place.directory]?[place.name] = nil
            operations.append(.unlink(in: place.directory, name: place.name))
        case CFAULTS_MKDIR:
            guard let place = place(operation.fd, operation.path) else { return }
            directories[create(place, isDirectory: true)] = [:]
        default: break
        }
    }

    private func noteOpen(_ operation: cfaults_operation) {
        let descriptor = Int32(operation.result)
        open[descriptor] = nil
        guard let place = place(operation.fd, operation.path) else { return }
        if place.name.isEmpty {
            open[descriptor] = place.directory
        } else if let known = directories[place.directory]?[place.name] {
            open[descriptor] = known
            if operation.flags & O_TRUNC != 0 { operations.append(.truncate(known, size: 0)) }
        } else if operation.flags & O_CREAT != 0 {
            open[descriptor] = create(place, isDirectory: false)
        }
    }

    private func noteRename(_ operation: cfaults_operation) {
        guard let source = place(operation.fd, operation.path),
            let target = place(operation.to_fd, operation.to_path),
            let inode = directories[source.directory]?.removeValue(forKey: source.name)
        else { return }
        directories[target.directory]?[target.name] = inode
        operations.append(
            .rename(
                inode, from: source.directory, name: source.name, to: target.directory,
                as: target.name))
    }

    private func create(_ place: Place, isDirectory: Bool) -> Inode {
        let inode = nextInode
        nextInode += 1
        directories[place.directory]?[place.name] = inode
        operations.append(
            .create(inode, isDirectory: isDirectory, in: place.directory, name: place.name))
        return inode
    }

    // MARK: - Paths

    private struct Place {
        let directory: Inode
        /// Empty for the directory itself.
        let name: String
    }

    /// Where a path leads; nil outside of `top`.
    private func place(_ descriptor: Int32, _ path: UnsafePointer<CChar>?) -> Place? {
        guard let path else { return nil }
        var text = Substring(String(cString: path))
        var directory: Inode
        if text.hasPrefix("/") {
            guard text == top || text.hasPrefix(top + "/") else { return nil }
            text = text.dropFirst(top.count)
            directory = 0
        } else {
            guard let inode = open[descriptor], directories[inode] != nil else { return nil }
            directory = inode
        }
        let parts = text.split(separator: "/").filter { $0 != "." }
        for part in parts.dropLast() {
            guard let next = directories[directory]?[String(part)] else { return nil }
            directory = next
        }
        guard let last = parts.last.map(String.init) else {
            return Place(directory: directory, name: "")
        }
        return Place(directory: directory, name: last)
    }
}

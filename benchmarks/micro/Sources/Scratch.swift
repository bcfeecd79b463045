import Glibc
import Linux

/// Where benchmarks keep their files; in a named folder the next run finds them again.
final class Scratch {
    /// Blobs in the index that is looked up in.
    let rows: Int
    private let path: String
    private let isTemporary: Bool

    /// Takes `folder`, or makes one that goes with it.
    init(_ folder: String?, rows: Int) throws {
        self.rows = rows
        isTemporary = folder == nil
        guard let folder else {
            var template = Array("/tmp/cistern-micro-XXXXXX".utf8CString)
            guard mkdtemp(&template) != nil else { throw Errno.last("mkdtemp") }
            path = String(
                decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
            return
        }
        path = folder
        try Self.make(folder)
    }

    deinit {
        if isTemporary { try? System.removeTree(AT_FDCWD, path) }
    }

    /// A path below, of a file that need not be there.
    func file(_ name: String) -> String { "\(path)/\(name)" }

    /// A folder below, made if it is missing.
    func folder(_ name: String) throws -> String {
        try Self.make(file(name))
        return file(name)
    }

    private static func make(_ path: String) throws {
        do {
            try System.mkdirat(AT_FDCWD, path)
        } catch let error where error.code == EEXIST {}
    }
}

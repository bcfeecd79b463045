package import Index
package import Linux
package import OCI

/// Why the store could not do what it was asked.
package enum StoreError: Error, Equatable, Sendable, CustomStringConvertible {
    /// No room within the limits, or on the disk, even after evicting all that may go.
    case full
    /// As many uploads are under way as may be.
    case tooManyUploads
    /// The bytes hash to something else than they were asked for; nothing of them is kept (INT-1).
    case mismatch(expected: Digest, actual: Digest)
    /// More or fewer bytes came than were announced (INT-11).
    case wrongSize(expected: Int64, actual: Int64)
    /// Another instance holds the store (DUR-8).
    case locked(path: String)
    /// A system call failed; the object at hand is dropped (DUR-2).
    case io(Errno)
    /// The index failed; the object at hand is dropped.
    case index(IndexError)
    /// The writer or the store has ended already.
    case closed

    /// A disk without room is an expected outcome, every other errno is not.
    init(_ error: Errno) {
        self = error.isNoSpace ? .full : .io(error)
    }

    init(_ error: IndexError) {
        self = error == .full ? .full : .index(error)
    }

    package var description: String {
        switch self {
        case .full: "no room in the store"
        case .tooManyUploads: "too many uploads are under way"
        case .mismatch(let expected, let actual): "expected \(expected), got \(actual)"
        case .wrongSize(let expected, let actual):
            "expected \(expected) bytes, got \(actual)"
        case .locked(let path): "another instance uses \(path)"
        case .io(let error): "store: \(error)"
        case .index(let error): "\(error)"
        case .closed: "the store is closed"
        }
    }
}

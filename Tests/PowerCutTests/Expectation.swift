import OCI

/// What a store must have after a crash at some point of a recorded run.
struct Expectation: Sendable {
    /// Objects that somebody was told are lasting, and that nobody may have given up since.
    private(set) var lasting: Set<String> = []
    /// Objects whose files were unlinked at some time: their rows may come back without them.
    private(set) var unlinked: Set<String> = []
    /// Those of them that were not published again since.
    private var gone: Set<String> = []

    init() {}

    /// After the first `count` of these operations, beginning with what `before` says.
    init(_ operations: [FileOperation], _ count: Int, after before: Expectation = .init()) {
        self = before
        for operation in operations.prefix(count) {
            switch operation {
            case .mark(.stored(let hex)):
                // Found stored already, and given up by another before its writer heard of it.
                if !gone.contains(hex) { lasting.insert(hex) }
            case .rename(_, _, _, _, let name): gone.remove(name)
            case .unlink(_, let name):
                lasting.remove(name)
                unlinked.insert(name)
                gone.insert(name)
            default: break
            }
        }
        takeOutWhatMayBeForgotten(operations, count)
    }

    /// Says that an object's file may be gone without its row.
    mutating func mayLose(_ hex: String) {
        lasting.remove(hex)
        unlinked.insert(hex)
    }

    /// What is unlinked later may have lost its row already.
    private mutating func takeOutWhatMayBeForgotten(_ operations: [FileOperation], _ count: Int) {
        var depth = 0
        for operation in operations.prefix(count) { depth += operation.forgetting }
        for operation in operations.dropFirst(count) {
            if depth == 0 { return }
            depth += operation.forgetting
            if case .unlink(_, let name) = operation { lasting.remove(name) }
        }
    }
}

extension FileOperation {
    fileprivate var forgetting: Int {
        switch self {
        case .mark(.mayForget): 1
        case .mark(.mayForgetNoMore): -1
        default: 0
        }
    }
}

import CSQLite

/// One SQLite connection with its prepared statements.
///
/// Not Sendable: it lives inside a `Mutex`, which makes it one thread's at a time. Statements are
/// prepared on first use and kept, one per `Query`.
final class Connection {
    private let handle: OpaquePointer
    private var statements: [OpaquePointer?]
    private var hasChangedShown = false
    private var hasPushed = false

    /// How long a statement waits for another connection's lock.
    private static let busyMilliseconds: Int32 = 250
    /// How long a checkpoint does, while others wait for it: readers hold one for microseconds, but
    /// for the look at the whole database after a start, which takes seconds.
    private static let checkpointMilliseconds: Int32 = 5

    /// Opens the database at `path`, which must exist.
    init(path: String, readOnly: Bool) throws(IndexError) {
        var opened: OpaquePointer?
        let mode = readOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE
        let code = sqlite3_open_v2(
            path, &opened, mode | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, nil)
        guard let opened else { throw IndexError.sqlite(code: code, message: "out of memory") }
        guard code == SQLITE_OK else {
            let error = Self.error(opened, code)
            sqlite3_close_v2(opened)
            throw error
        }
        sqlite3_extended_result_codes(opened, 1)
        sqlite3_busy_timeout(opened, Self.busyMilliseconds)
        handle = opened
        statements = Array(repeating: nil, count: Query.allCases.count)
    }

    deinit {
        for statement in statements { sqlite3_finalize(statement) }
        sqlite3_close_v2(handle)
    }

    /// Runs SQL that has no parameters and gives no rows.
    func execute(_ sql: String) throws(IndexError) {
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw error(code) }
    }

    /// Runs SQL whose answer is one integer: pragmas and counts.
    func integer(_ sql: String) throws(IndexError) -> Int64 {
        var raw: OpaquePointer?
        var code = sqlite3_prepare_v2(handle, sql, -1, &raw, nil)
        defer { sqlite3_finalize(raw) }
        guard code == SQLITE_OK, let raw else { throw error(code) }
        code = sqlite3_step(raw)
        guard code == SQLITE_ROW else { throw error(code) }
        return sqlite3_column_int64(raw, 0)
    }

    /// Whether SQLite finds nothing wrong with the database.
    func isWhole() throws(IndexError) -> Bool {
        var raw: OpaquePointer?
        let code = sqlite3_prepare_v2(handle, "PRAGMA quick_check(1)", -1, &raw, nil)
        defer { sqlite3_finalize(raw) }
        guard code == SQLITE_OK, let raw else { throw error(code) }
        guard sqlite3_step(raw) == SQLITE_ROW, let text = sqlite3_column_text(raw, 0) else {
            throw error(sqlite3_errcode(handle))
        }
        return String(cString: text) == "ok"
    }

    /// The prepared statement of `query`, ready to be bound.
    ///
    /// Only one use of each at a time.
    func statement(_ query: Query) throws(IndexError) -> Statement {
        if query.changesShown { hasChangedShown = true }
        if query == .insertHosted { hasPushed = true }
        if let raw = statements[query.rawValue] { return Statement(raw, of: self) }
        var raw: OpaquePointer?
        let code = sqlite3_prepare_v3(
            handle, query.sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &raw, nil)
        guard code == SQLITE_OK, let raw else { throw error(code) }
        statements[query.rawValue] = raw
        return Statement(raw, of: self)
    }

    /// Whether something may be shown no more, or otherwise, since it was asked last.
    func takeShownChanged() -> Bool {
        defer { hasChangedShown = false }
        return hasChangedShown
    }

    /// Whether a hosted repository may have been given something since it was asked last.
    func takePushed() -> Bool {
        defer { hasPushed = false }
        return hasPushed
    }

    /// Runs `body` inside one transaction; an error rolls it back.
    func transaction<T>(
        _ body: (Connection) throws(IndexError) -> T
    ) throws(IndexError) -> T {
        try execute("BEGIN IMMEDIATE")
        do throws(IndexError) {
            let result = try body(self)
            try execute("COMMIT")
            return result
        } catch {
            // SQLite itself has rolled back after some errors; then this one fails harmlessly.
            sqlite3_exec(handle, "ROLLBACK", nil, nil, nil)
            throw error
        }
    }

    /// Moves the whole write-ahead log into the database and truncates it.
    ///
    /// A checkpoint that meets a reader is left for the next time.
    func checkpoint() throws(IndexError) {
        sqlite3_busy_timeout(handle, Self.checkpointMilliseconds)
        defer { sqlite3_busy_timeout(handle, Self.busyMilliseconds) }
        let code = sqlite3_wal_checkpoint_v2(
            handle, nil, SQLITE_CHECKPOINT_TRUNCATE, nil, nil)
        guard code == SQLITE_OK || code & 0xff == SQLITE_BUSY else { throw error(code) }
    }

    /// Looks at every page; throws `.corrupt` unless all of them are sound.
    func check() throws(IndexError) {
        var raw: OpaquePointer?
        var code = sqlite3_prepare_v2(handle, "PRAGMA integrity_check(1)", -1, &raw, nil)
        defer { sqlite3_finalize(raw) }
        guard code == SQLITE_OK, let raw else { throw error(code) }
        code = sqlite3_step(raw)
        guard code == SQLITE_ROW else { throw error(code) }
        let verdict = sqlite3_column_text(raw, 0).map { String(cString: $0) } ?? ""
        if verdict != "ok" { throw IndexError.corrupt(verdict) }
    }

    /// How SQLite would look up what `query` asks, for tests.
    func plan(_ query: Query) throws(IndexError) -> String {
        var raw: OpaquePointer?
        let code = sqlite3_prepare_v2(handle, "EXPLAIN QUERY PLAN " + query.sql, -1, &raw, nil)
        defer { sqlite3_finalize(raw) }
        guard code == SQLITE_OK, let raw else { throw error(code) }
        var plan = ""
        while sqlite3_step(raw) == SQLITE_ROW {
            if let line = sqlite3_column_text(raw, 3) { plan += String(cString: line) + "\n" }
        }
        return plan
    }

    /// Rows changed since the connection was opened.
    var totalChanges: Int { Int(sqlite3_total_changes(handle)) }

    func error(_ code: Int32) -> IndexError { Self.error(handle, code) }

    private static func error(_ handle: OpaquePointer, _ code: Int32) -> IndexError {
        let message = String(cString: sqlite3_errmsg(handle))
        switch code & 0xff {
        case SQLITE_CORRUPT, SQLITE_NOTADB: return .corrupt(message)
        case SQLITE_FULL: return .full
        default: return .sqlite(code: code, message: message)
        }
    }
}

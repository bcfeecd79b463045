import CSQLite
import OCI

/// A prepared statement in use; reset and unbound when the use ends.
struct Statement: ~Copyable {
    private let raw: OpaquePointer
    private let connection: Connection

    init(_ raw: OpaquePointer, of connection: Connection) {
        self.raw = raw
        self.connection = connection
    }

    deinit {
        sqlite3_reset(raw)
        sqlite3_clear_bindings(raw)
    }

    // MARK: - Parameters, counted from 1

    /// SQLite's "copy what I give you": what is bound need not outlive the call.
    private static var transient: sqlite3_destructor_type {
        unsafeBitCast(-1, to: sqlite3_destructor_type.self)
    }

    borrowing func bind(_ position: Int32, _ digest: Digest) {
        digest.withBytes {
            _ = sqlite3_bind_blob(
                raw, position, $0.baseAddress, Int32($0.count), Self.transient)
        }
    }

    borrowing func bind(_ position: Int32, _ bytes: [UInt8]) {
        _ = sqlite3_bind_blob(raw, position, bytes, Int32(bytes.count), Self.transient)
    }

    borrowing func bind(_ position: Int32, _ value: Int64) {
        sqlite3_bind_int64(raw, position, value)
    }

    borrowing func bind(_ position: Int32, _ text: String) {
        var text = text
        text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) {
                // An empty text must not be a null pointer, which would bind NULL.
                let base = $0.baseAddress
                if let base, !$0.isEmpty {
                    _ = sqlite3_bind_text(raw, position, base, Int32($0.count), Self.transient)
                } else {
                    _ = sqlite3_bind_text(raw, position, "", 0, Self.transient)
                }
            }
        }
    }

    borrowing func bind(_ position: Int32, _ text: String?) {
        if let text { bind(position, text) } else { sqlite3_bind_null(raw, position) }
    }

    borrowing func bind(_ position: Int32, _ digest: Digest?) {
        if let digest { bind(position, digest) } else { sqlite3_bind_null(raw, position) }
    }

    // MARK: - Running

    /// Advances to the next row; false at the end.
    borrowing func step() throws(IndexError) -> Bool {
        let code = sqlite3_step(raw)
        switch code {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        default: throw connection.error(code)
        }
    }

    /// Runs a statement that gives no rows.
    borrowing func run() throws(IndexError) {
        while try step() {}
    }

    // MARK: - Columns, counted from 0

    borrowing func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(raw, column) }

    borrowing func isNull(_ column: Int32) -> Bool {
        sqlite3_column_type(raw, column) == SQLITE_NULL
    }

    borrowing func text(_ column: Int32) -> String? {
        guard let bytes = sqlite3_column_text(raw, column) else { return nil }
        let count = Int(sqlite3_column_bytes(raw, column))
        return String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
    }

    /// A digest by the length of its raw hash; nil for NULL and for what no digest is.
    borrowing func bytes(_ column: Int32) -> [UInt8] {
        guard let start = sqlite3_column_blob(raw, column) else { return [] }
        let count = Int(sqlite3_column_bytes(raw, column))
        return Array(UnsafeRawBufferPointer(start: start, count: count))
    }

    borrowing func digest(_ column: Int32) -> Digest? {
        guard let bytes = sqlite3_column_blob(raw, column) else { return nil }
        let hash = UnsafeRawBufferPointer(
            start: bytes, count: Int(sqlite3_column_bytes(raw, column)))
        for algorithm in [Digest.Algorithm.sha256, .sha512]
        where algorithm.byteCount == hash.count {
            return Digest(algorithm, bytes: hash)
        }
        return nil
    }
}

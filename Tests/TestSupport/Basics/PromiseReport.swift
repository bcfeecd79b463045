import Glibc

/// What a run found out about the promises, one line each, for `scripts/promises`.
///
/// A test that measures a promise says here what it counted, whether it holds or not; the test
/// itself still expects it. Where `CISTERN_PROMISES_FILE` is not set the line is only printed.
package enum PromiseReport {
    /// Adds a line: `figure` is what was counted, `bound` what was promised.
    package static func add(
        _ promise: String, _ what: String, figure: String, bound: String, held: Bool
    ) {
        let fields = [promise, what, figure, bound, held ? "held" : "NOT HELD"]
        let line = fields.map { field in
            String(field.map { $0.isNewline || $0 == "\t" ? " " : $0 })
        }
        print("\(promise): \(what): \(figure) (bound: \(bound)): \(fields[4])")
        append(line.joined(separator: "\t") + "\n")
    }

    /// One write per line, so that lines of several threads and processes do not mix.
    private static func append(_ line: String) {
        guard let path = environment("CISTERN_PROMISES_FILE") else { return }
        let descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let bytes = Array(line.utf8)
        _ = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    }
}

/// The last word of a run: a table of what was copied, skipped and failed, what failed and what to
/// do about it, and one line that sums it up.
struct Report {
    /// Names with a row of their own.
    private static let rowsMax = 200

    let sample: Scoreboard.Sample
    let seconds: Double

    /// The table, and below it the failures.
    var table: String {
        var lines = [["NAME", "COPIED", "SKIPPED", "FAILED"]]
        let names = sample.rows.sorted { $0.key < $1.key }
        lines += names.prefix(Self.rowsMax).map { Self.line($0.key, $0.value) }
        if names.count > Self.rowsMax {
            var rest = Scoreboard.Row()
            for (_, row) in names.dropFirst(Self.rowsMax) {
                rest.copied += row.copied
                rest.skipped += row.skipped
                rest.failed += row.failed
            }
            lines.append(Self.line("and \(names.count - Self.rowsMax) more", rest))
        }
        var all = Scoreboard.Row()
        (all.copied, all.skipped, all.failed) = (sample.copied, sample.skipped, sample.failed)
        lines.append(Self.line("total", all))
        return Self.aligned(lines) + failures
    }

    private var failures: String {
        guard !sample.failures.isEmpty else { return "" }
        var text = "\n"
        for (label, failure) in sample.failures {
            text += "failed: \(label)\n  why:  \(failure)\n  fix:  \(failure.fix)\n"
        }
        if sample.failuresUntold > 0 { text += "and \(sample.failuresUntold) more\n" }
        return text
    }

    /// `14 images: 11 copied (1.9 GiB), 3 already there, 0 failed, 38 s`.
    var summary: String {
        let left = sample.total - sample.done
        let images = sample.total == 1 ? "1 image" : "\(sample.total) images"
        return "\(images): \(sample.copied) copied "
            + "(\(Quantity.size(sample.bytes)) sent), \(sample.skipped) already there, "
            + "\(sample.failed) failed, "
            + (left > 0 ? "\(left) not tried, " : "") + Quantity.time(seconds)
    }

    private static func line(_ name: String, _ row: Scoreboard.Row) -> [String] {
        [name, String(row.copied), String(row.skipped), String(row.failed)]
    }

    /// Two blanks between columns; the first stands left, numbers right.
    static func aligned(_ rows: [[String]]) -> String {
        let count = rows.map(\.count).max() ?? 0
        let widths = (0..<count).map { column in
            rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
        }
        return rows.map { row in
            let cells = row.enumerated().map { column, cell in
                let blanks = String(repeating: " ", count: widths[column] - cell.count)
                return column == 0 ? cell + blanks : blanks + cell
            }
            return cells.joined(separator: "  ") + "\n"
        }.joined()
    }
}

/// Sizes and times for people.
enum Quantity {
    /// `512 B`, `31.4 MiB`.
    static func size(_ bytes: Int64) -> String {
        var unit = "B"
        var value = Double(bytes)
        for next in ["KiB", "MiB", "GiB", "TiB"] where value >= 1024 {
            value /= 1024
            unit = next
        }
        return unit == "B" ? "\(bytes) B" : "\(tenths(value)) \(unit)"
    }

    /// `38 s`, `12 min 5 s`, `3 h 20 min`.
    static func time(_ seconds: Double) -> String {
        let whole = Int64(max(0, min(seconds, 1e9)))
        if whole < 10 { return "\(tenths(max(0, seconds))) s" }
        if whole < 60 { return "\(whole) s" }
        if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
        return "\(whole / 3600) h \(whole % 3600 / 60) min"
    }

    private static func tenths(_ value: Double) -> String {
        let tenths = Int64((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
}

/// A line of configuration as it may be shown: without passwords and control characters.
///
/// An error may stand on any line, also on one that holds a secret by mistake, and error text goes
/// to logs (CRED-6, CRED-7). So everything after `password` and all userinfo of URLs is cut.
struct ShownLine {
    let text: String

    var scalarCount: Int { text.unicodeScalars.count }

    init(of source: SourceText, line number: Int) {
        guard !Self.isInsideSecret(source, number) else {
            text = "…"
            return
        }
        let line = Self.cut(source.line(number))
        text = line.split(separator: "\t", omittingEmptySubsequences: false)
            .map { Quoted.safe(String($0)) }.joined(separator: "\t")
    }

    /// The line up to where something secret may begin.
    private static func cut(_ line: String) -> String {
        let scalars = Array(line.unicodeScalars)
        let end = min(secretStart(scalars), userinfoStart(scalars))
        guard end < scalars.count else { return line }
        var kept = String.UnicodeScalarView()
        kept.append(contentsOf: scalars[..<end])
        return String(kept) + "…"
    }

    /// Behind the `=` that follows `password`, in any case.
    private static func secretStart(_ scalars: [Unicode.Scalar]) -> Int {
        guard let word = indexAfter("password", in: scalars) else { return scalars.count }
        guard let equals = scalars[word...].firstIndex(of: "=") else { return word }
        let next = equals + 1
        return next < scalars.count && scalars[next] == " " ? next + 1 : next
    }

    /// Behind the `://` of a URL with userinfo.
    private static func userinfoStart(_ scalars: [Unicode.Scalar]) -> Int {
        var from = 0
        while let start = indexAfter("://", in: scalars, from: from) {
            // A password may itself hold a slash or a quote, so any later @ is suspect.
            if scalars[start...].contains("@") { return start }
            from = start
        }
        return scalars.count
    }

    private static func indexAfter(
        _ word: String, in scalars: [Unicode.Scalar], from: Int = 0
    ) -> Int? {
        let word = Array(word.unicodeScalars)
        guard scalars.count >= word.count else { return nil }
        for start in from..<max(from, scalars.count - word.count + 1) {
            let matches = zip(word, scalars[start...]).allSatisfy { $0.0 == lowered($0.1) }
            if matches { return start + word.count }
        }
        return nil
    }

    private static func lowered(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        ("A"..."Z").contains(scalar) ? Unicode.Scalar(UInt8(scalar.value) + 32) : scalar
    }

    /// Whether an earlier `password = """` or `[` is still open at this line.
    private static func isInsideSecret(_ source: SourceText, _ number: Int) -> Bool {
        for earlier in stride(from: number - 1, to: max(0, number - 16), by: -1) {
            let line = source.line(earlier)
            if line.drop(while: { $0 == " " || $0 == "\t" }).hasPrefix("#") { continue }
            guard let after = indexAfter("password", in: Array(line.unicodeScalars)) else {
                if isFreshStart(line) { return false }
                continue
            }
            let value = String(String.UnicodeScalarView(line.unicodeScalars.dropFirst(after)))
            let opener = value.drop { $0 == " " || $0 == "\t" || $0 == "=" || $0 == "\"" }
            return value.contains("\"\"\"") || value.contains("'''") || opener.isEmpty
                || opener.hasPrefix("[")
        }
        return false
    }

    /// Whether a line begins a new table, so nothing of a value can still be open, as a rule.
    private static func isFreshStart(_ line: String) -> Bool {
        let bare = line.drop { $0 == " " || $0 == "\t" }
        return bare.hasPrefix("[[") || (bare.hasPrefix("[") && bare.hasSuffix("]"))
    }
}

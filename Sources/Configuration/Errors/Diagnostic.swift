/// One thing that is wrong or odd in the configuration, with the place and the way out.
package struct Diagnostic: Sendable, Equatable, CustomStringConvertible {
    /// Whether it keeps the configuration from being used.
    package enum Severity: String, Sendable {
        case error, warning
    }

    package var severity: Severity
    /// A short stable name of the kind, such as `unknown-key`.
    package var code: String
    /// What is wrong, in one sentence without full stop.
    package var message: String
    /// Where; nil when it is nowhere in particular.
    package var location: SourceLocation?
    /// What stands behind the carets, such as `did you mean …?`.
    package var label: String?
    /// What to do about it.
    package var help: String?

    /// Several lines as a compiler writes them, without a line end.
    package var description: String {
        var lines = ["\(severity.rawValue)[\(code)]: \(message)"]
        let margin = String(repeating: " ", count: marginWidth)
        if let location {
            lines.append("\(margin)--> \(location.name)")
            lines.append("\(margin) |")
            lines += excerpt(location, margin)
        }
        if let help { lines.append("\(margin) = help: \(help)") }
        return lines.joined(separator: "\n")
    }

    /// One line for a log: place and message.
    package var summary: String {
        let place = location.map { "\($0.name): " } ?? ""
        return place + message + (help.map { " (\($0))" } ?? "")
    }

    private var marginWidth: Int {
        max(2, location.map { String($0.line).count } ?? 2)
    }

    private func excerpt(_ location: SourceLocation, _ margin: String) -> [String] {
        let number = location.line > 0 ? String(location.line) : ""
        let gutter = number + String(repeating: " ", count: marginWidth - number.count)
        let window = location.window
        let tail = label.map { " \($0)" } ?? ""
        return [
            "\(gutter) | \(window.text)",
            "\(margin) | \(window.indent)\(String(repeating: "^", count: window.width))\(tail)",
        ]
    }
}

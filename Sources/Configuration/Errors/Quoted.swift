/// Text from outside as it may stand in a message (CRED-7).
enum Quoted {
    /// Short and without control characters.
    static func of(_ text: String) -> String {
        let scalars = text.unicodeScalars
        let short = String(String.UnicodeScalarView(scalars.prefix(64)))
        return safe(short) + (scalars.dropFirst(64).isEmpty ? "" : "…")
    }

    /// Without control, direction and line separating characters.
    static func safe(_ text: String) -> String {
        var shown = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator: shown.append("\u{FFFD}")
            default: shown.append(scalar)
            }
        }
        return String(shown)
    }
}

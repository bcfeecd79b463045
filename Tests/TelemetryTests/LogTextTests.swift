import Testing

@testable import Telemetry

@Suite struct LogTextTests {
    private func logfmt(_ text: String) -> String {
        var line: [UInt8] = []
        LogText.appendLogfmt(text, to: &line)
        return String(decoding: line, as: UTF8.self)
    }

    @Test func plainTextStaysBare() {
        #expect(logfmt("library/nginx:1.27@sha256:ab") == "library/nginx:1.27@sha256:ab")
    }

    @Test func emptyTextAndTextWithSpacesAreQuoted() {
        #expect(logfmt("") == "\"\"")
        #expect(logfmt("not found") == "\"not found\"")
        #expect(logfmt("a=b") == "\"a=b\"")
    }

    // CRED-7: what comes from outside can neither end a line nor steer a terminal.
    @Test func controlAndInvisibleCharactersAreEscaped() {
        #expect(logfmt("a\nmsg=ready\r\t") == #""a\nmsg=ready\r\t""#)
        #expect(logfmt("\u{1B}[31m\u{0}\u{7F}\u{9B}") == #""\u001b[31m\u0000\u007f\u009b""#)
        #expect(logfmt("\u{202E}gnp\u{2028}") == #""\u202egnp\u2028""#)
        #expect(logfmt(#"quote " and \"#) == #""quote \" and \\""#)
    }

    @Test func lettersOfAllLanguagesStay() {
        #expect(logfmt("größe 大") == "\"größe 大\"")
    }

    // CRED-7: 256 bytes per field, escapes and quotes included.
    @Test(arguments: ["x", " ", "\u{1B}", "ö", "\"", "😀"])
    func longFieldsAreCutAt256Bytes(unit: String) {
        for count in [40, 41, 42, 43, 126, 127, 128, 252, 253, 254, 255, 256, 257, 5000] {
            let text = String(repeating: unit, count: count)
            let field = logfmt(text)
            let whole = unlimitedLogfmt(text)
            #expect(field.utf8.count <= 256)
            #expect(logfmt(LogText.clipped(text)) == field)
            if whole.utf8.count <= 256 {
                #expect(field == whole)
            } else {
                #expect(field.hasSuffix("…") || field.hasSuffix("…\""))
            }
        }
    }

    /// A second, naive way to the same text.
    private func unlimitedLogfmt(_ text: String) -> String {
        let escaped = text.unicodeScalars.map { scalar in
            switch scalar {
            case "\"": "\\\""
            case "\u{1B}": "\\u001b"
            default: String(scalar)
            }
        }
        let isPlain = text.allSatisfy { $0 == "x" }
        return isPlain ? escaped.joined() : "\"\(escaped.joined())\""
    }
}

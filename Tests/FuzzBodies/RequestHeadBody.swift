import HTTP

/// Request heads: the answer does not depend on how the bytes arrive, nor on what follows them,
/// and what was read says the same when it is written and read again (HTTP-1 to HTTP-5, RES-1).
enum RequestHeadBody {
    enum Outcome: Equatable {
        case incomplete
        case refused(RequestError)
        case head(String, consumed: Int)
    }

    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        var parser = RequestParser()
        let (whole, head) = step(&parser, bytes[...])
        try checkSplits(bytes, whole)
        guard let head, case .head(let text, let consumed) = whole else {
            let isRoom = bytes.count < ParserLimits().headBytesMax
            try demand(whole != .incomplete || isRoom, "incomplete beyond the limit")
            return
        }
        try demand((1...bytes.count).contains(consumed), "consumed \(consumed) of \(bytes.count)")
        var other = RequestParser()
        try demand(step(&other, bytes[..<consumed]).0 == whole, "what follows the head matters")
        try demand(!(head.isChunked && head.contentLength != nil), "two framings")
        try demand(head.contentLength.map { $0 >= 0 } ?? true, "negative length")
        try checkWrittenAgain(head, text)
    }

    private static func checkSplits(_ bytes: [UInt8], _ whole: Outcome) throws(FuzzFailure) {
        // Every place in a short input, some places in a long one.
        let stride = max(1, bytes.count / 32)
        var first = 0
        while first < bytes.count {
            var parser = RequestParser()
            var outcome = step(&parser, bytes[..<first]).0
            if outcome == .incomplete { outcome = step(&parser, bytes[...]).0 }
            try demand(outcome == whole, "cut at \(first): \(outcome), at once: \(whole)")
            first += stride
        }
        var parser = RequestParser()
        for end in Swift.stride(from: 1, to: bytes.count, by: stride) {
            let outcome = step(&parser, bytes[..<end]).0
            guard outcome != .incomplete else { continue }
            try demand(outcome == whole, "in pieces: \(outcome), at once: \(whole)")
            return
        }
    }

    private static func checkWrittenAgain(_ head: RequestHead, _ text: String) throws(FuzzFailure) {
        var line = "\(head.method) \(PercentEncoding.encodePath(head.target.path))"
        if head.target.path == "*" { line = "\(head.method) *" }
        if let raw = head.target.rawQuery { line += "?\(raw)" }
        line += head.version == .http10 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n"
        var written = Array(line.utf8)
        head.headers.write(to: &written)
        written += Array("\r\n".utf8)
        var parser = RequestParser()
        let (outcome, _) = step(&parser, written[...])
        // Escapes may make the line longer than the original, and the blank behind a colon a field.
        let grown: [Outcome] = [.refused(.requestLineTooLong), .refused(.headersTooLarge)]
        if grown.contains(outcome) { return }
        try demand(
            outcome == .head(text, consumed: written.count),
            "written again: \(outcome), was \(text)")
    }

    private static func step(
        _ parser: inout RequestParser, _ bytes: ArraySlice<UInt8>
    ) -> (Outcome, RequestHead?) {
        // A copy of exactly these bytes, so that the sanitizer sees a read beyond them.
        Array(bytes).withUnsafeBytes { buffer in
            do throws(RequestError) {
                guard let (head, consumed) = try parser.parse(buffer) else {
                    return (.incomplete, nil)
                }
                return (.head(summary(head), consumed: consumed), head)
            } catch {
                return (.refused(error), nil)
            }
        }
    }

    private static func summary(_ head: RequestHead) -> String {
        var text = "\(head.method) \(head.target.path) \(head.target.query) \(head.version)"
        text += " \(head.target.rawQuery ?? "-") host=\(head.host) \(head.hostName)"
        text += " length=\(head.contentLength.map { String($0) } ?? "-")"
        text += " \(head.isChunked) \(head.keepAlive) \(head.expectsContinue)"
        for (name, value) in head.headers { text += " [\(name): \(value)]" }
        return text
    }
}

import HTTP
import TestSupport

/// What a parser made of some bytes, in a form that can be compared.
enum Outcome: Equatable, CustomStringConvertible {
    case incomplete
    case refused(RequestError)
    case head(String, consumed: Int)

    var description: String {
        switch self {
        case .incomplete: "incomplete"
        case .refused(let error): "refused, \(error)"
        case .head(let text, let consumed): "\(text), \(consumed) bytes"
        }
    }

    var status: Int? {
        if case .refused(let error) = self { error.status } else { nil }
    }

    /// Parses all bytes at once.
    static func atOnce(_ bytes: [UInt8], limits: ParserLimits = ParserLimits()) -> Outcome {
        var parser = RequestParser(limits: limits)
        return step(&parser, bytes[...])
    }

    /// Parses after every byte.
    static func byteByByte(_ bytes: [UInt8], limits: ParserLimits = ParserLimits()) -> Outcome {
        var parser = RequestParser(limits: limits)
        for count in 0...bytes.count {
            let outcome = step(&parser, bytes[..<count])
            if outcome != .incomplete { return outcome }
        }
        return .incomplete
    }

    /// Parses after every piece of a random length.
    static func inPieces(_ bytes: [UInt8], _ generator: inout SeededGenerator) -> Outcome {
        var parser = RequestParser()
        var count = 0
        while true {
            let outcome = step(&parser, bytes[..<count])
            if outcome != .incomplete || count == bytes.count { return outcome }
            count = min(bytes.count, count + Int.random(in: 1...200, using: &generator))
        }
    }

    private static func step(_ parser: inout RequestParser, _ bytes: ArraySlice<UInt8>) -> Outcome {
        // A copy of exactly these bytes, so that a sanitizer would see a read beyond them.
        Array(bytes).withUnsafeBytes { buffer in
            do throws(RequestError) {
                guard let (head, consumed) = try parser.parse(buffer) else { return .incomplete }
                return .head(summary(head), consumed: consumed)
            } catch {
                return .refused(error)
            }
        }
    }

    private static func summary(_ head: RequestHead) -> String {
        var text = "\(head.method) \(head.target) \(head.version) host=\(head.host)"
        text += " length=\(head.contentLength.map { String($0) } ?? "-")"
        text += " \(head.isChunked) \(head.keepAlive) \(head.expectsContinue)"
        for (name, value) in head.headers { text += " [\(name): \(value)]" }
        return text
    }
}

/// Parses a text and gives the head, or throws what the parser threw.
func parsedHead(_ text: String) throws -> RequestHead? {
    var parser = RequestParser()
    let bytes = Array(text.utf8)
    return try bytes.withUnsafeBytes { buffer in try parser.parse(buffer)?.head }
}

/// A GET with the given lines between Host and the empty line.
func request(_ target: String = "/v2/", fields: String = "", version: String = "HTTP/1.1") -> String
{
    "GET \(target) \(version)\r\nHost: localhost\r\n\(fields)\r\n"
}

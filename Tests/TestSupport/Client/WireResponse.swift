/// What a client got back, and whether the message was whole by its own framing.
package struct WireResponse: Sendable, CustomStringConvertible {
    /// How the message ended.
    package enum Ending: Sendable, Equatable {
        /// All that the framing promised came.
        case complete
        /// The stream ended (FIN) before that.
        case short
        /// The connection was reset before that.
        case reset
        /// Nothing came for as long as the client was willing to wait.
        case timedOut
        /// The framing itself was wrong.
        case malformed
        /// The client stopped reading on purpose.
        case abandoned
    }

    package let status: Int
    package let reason: String
    package let fields: [(name: String, value: String)]
    /// The body, unless it was only checked.
    package var body: [UInt8] = []
    package var bodyBytes: Int64 = 0
    package var ending = Ending.complete
    /// Whether every body byte so far was the expected one; nil if nothing was expected.
    package var matchesSoFar: Bool?
    /// Whether the body was expected to be just as long.
    package var hasExpectedSize: Bool?

    /// The first value of a header, whatever its case.
    package subscript(_ name: String) -> String? { all(name).first }

    package func all(_ name: String) -> [String] {
        fields.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
    }

    package var text: String { String(decoding: body, as: UTF8.self) }

    package var contentLength: Int64? { self["Content-Length"].flatMap { Int64($0) } }

    package var isChunked: Bool { self["Transfer-Encoding"]?.lowercased() == "chunked" }

    /// Complete by its framing, and every byte as expected.
    package var isRight: Bool {
        ending == .complete && matchesSoFar == true && hasExpectedSize == true
    }

    /// Complete by its framing with bytes that are not the expected ones: what must never be.
    package var isCompleteButWrong: Bool {
        (status == 200 || status == 206) && ending == .complete
            && (matchesSoFar == false || hasExpectedSize == false)
    }

    /// What matters of it, in one line.
    package var description: String {
        let matches = matchesSoFar.map { $0 ? ", bytes right" : ", BYTES WRONG" } ?? ""
        let size = hasExpectedSize.map { $0 ? ", size right" : ", size wrong" } ?? ""
        let cache = self["Cache-Status"].map { ", \($0)" } ?? ""
        let text = contentLength.map { $0 < 300 ? ", \(self.text)" : "" } ?? ""
        return "\(status) \(bodyBytes) bytes \(ending)\(matches)\(size)\(cache)\(text)"
    }

    package var keepsAlive: Bool { self["Connection"]?.lowercased() != "close" }
}

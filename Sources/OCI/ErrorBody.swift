/// The body of an error answer: what clients print to the person who typed the pull (HTTP-9).
package struct ErrorBody: Sendable {
    /// The media type of the encoded body.
    package static let contentType = MediaType.json

    package var code: ErrorCode
    package var message: String
    /// Named facts, in the order given; an empty list writes no `detail`.
    package var detail: [(name: String, value: String)]

    package init(
        _ code: ErrorCode, _ message: String, detail: [(name: String, value: String)] = []
    ) {
        self.code = code
        self.message = message
        self.detail = detail
    }

    /// The body as `{"errors":[{"code":…,"message":…,"detail":{…}}]}`, all text escaped.
    package func encode() -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("errors")
            writer.array { writer in
                writer.object { writer in
                    writer.member("code", code.rawValue)
                    writer.member("message", message)
                    writeDetail(to: &writer)
                }
            }
        }
        return writer.bytes
    }

    private func writeDetail(to writer: inout JSONWriter) {
        guard !detail.isEmpty else { return }
        writer.key("detail")
        writer.object { writer in
            for (name, value) in detail { writer.member(name, value) }
        }
    }
}

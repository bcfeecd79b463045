import OCI
import Upstream

/// What a registry's error body says, as far as it is fit to be shown.
enum ErrorAnswer {
    private static let bytesMax = 64 << 10
    private static let messageBytesMax = 200

    /// The failure that an answer amounts to; reads its body.
    static func failure(
        _ response: UpstreamResponse, _ side: Side, _ what: String
    ) async -> CopyFailure {
        var code = ""
        var message = ""
        if let bytes = try? await response.body.collect(limit: bytesMax),
            let error = (try? JSONValue.parse(bytes))?["errors"]?.array?.first
        {
            code = shown(error["code"]?.string ?? "")
            message = shown(error["message"]?.string ?? "")
        }
        return CopyFailure(
            side, what, .answer(status: response.status, code: code, message: message),
            retryAfter: response.retryAfter)
    }

    /// Text of a registry for a terminal: short, and no control characters.
    static func shown(_ text: String) -> String {
        let bytes = text.utf8.prefix(messageBytesMax).map { byte in
            (0x20..<0x7f).contains(byte) ? byte : UInt8(ascii: "?")
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// What the scripted upstream is going to answer, down to the byte; faults change it.
package struct ResponsePlan: Sendable {
    /// How the end of the body is told.
    package enum Framing: Sendable, CaseIterable { case length, chunked, close }

    /// How a body that breaks off ends.
    package enum Cut: Sendable { case fin, reset }

    package var status = 200
    package var reason = "OK"
    package var fields: [(name: String, value: String)] = []
    package var body = TestContent("")
    /// The part of `body` that is sent, in offsets of the whole.
    package var range: Range<Int64> = 0..<0
    package var framing = Framing.length
    /// What `Content-Length` says instead of the truth.
    package var announcedLength: Int64?
    /// Offsets in the whole body whose byte goes out inverted.
    package var flips: [Int64] = []
    /// Offset in the whole body before which sending ends, and how.
    package var cut: (at: Int64, how: Cut)?
    /// Offset in the whole body before which sending waits for a gate.
    package var stall: (at: Int64, gate: Gate)?
    /// Bytes sent after the body.
    package var extraBytes = 0
    /// At most so many bytes a second.
    package var bytesPerSecond: Int?
    /// Headers without an end.
    package var hasEndlessHeaders = false
    /// Waits here before the status line goes out.
    package var headGate: Gate?
    /// The connection is closed without any answer.
    package var isDropped = false
    /// The connection is closed after the body.
    package var closes = false

    package init(status: Int = 200, _ fields: [(String, String)] = [], body: TestContent? = nil) {
        self.status = status
        reason = ResponsePlan.reasons[status] ?? "Status"
        self.fields = fields.map { (name: $0.0, value: $0.1) }
        if let body {
            self.body = body
            range = 0..<body.size
        }
    }

    /// Sets a header, replacing what stood there; nil takes it away.
    package mutating func set(_ name: String, _ value: String?) {
        fields.removeAll { $0.name.lowercased() == name.lowercased() }
        if let value { fields.append((name, value)) }
    }

    /// An OCI error answer.
    package static func failure(_ status: Int, _ code: String, _ message: String) -> ResponsePlan {
        let json = #"{"errors":[{"code":"\#(code)","message":"\#(message)"}]}"#
        return ResponsePlan(
            status: status, [("Content-Type", "application/json")], body: TestContent(json))
    }

    private static let reasons = [
        200: "OK", 206: "Partial Content", 302: "Found", 304: "Not Modified",
        307: "Temporary Redirect", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden",
        404: "Not Found", 416: "Range Not Satisfiable", 429: "Too Many Requests",
        500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable",
    ]
}

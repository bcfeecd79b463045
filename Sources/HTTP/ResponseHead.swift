/// A status line and the fields under it.
package struct ResponseHead: Sendable {
    package var status: Int
    /// The longest phrase of our own, in bytes.
    package static let reasonBytesMax = 160

    /// A phrase of our own in place of the registered one; dropped if it is too long or has
    /// anything but visible ASCII and spaces.
    package var reason: String?
    package var fields: HeaderFields

    package init(status: Int, reason: String? = nil, fields: HeaderFields = HeaderFields()) {
        self.status = status
        self.reason = reason
        self.fields = fields
    }

    /// Appends the head, the empty line included, always as HTTP/1.1: the version says what the
    /// server speaks, not what the client does (RFC 9110 §2.5).
    ///
    /// A status outside 100 to 599 becomes 500. Nothing here can put a control byte on the wire
    /// (HTTP-8): fields were checked when they were added.
    package func serialize(into output: inout [UInt8]) {
        let code = (100...599).contains(status) ? status : 500
        output.append(contentsOf: "HTTP/1.1 ".utf8)
        output.append(UInt8(ascii: "0") + UInt8(code / 100))
        output.append(UInt8(ascii: "0") + UInt8(code / 10 % 10))
        output.append(UInt8(ascii: "0") + UInt8(code % 10))
        output.append(UInt8(ascii: " "))
        if let reason, reason.utf8.count <= Self.reasonBytesMax,
            reason.utf8.allSatisfy({ (0x20...0x7e).contains($0) })
        {
            output.append(contentsOf: reason.utf8)
        } else {
            output.append(contentsOf: Self.reason(of: code).utf8)
        }
        output.append(UInt8(ascii: "\r"))
        output.append(UInt8(ascii: "\n"))
        fields.write(to: &output)
        output.append(UInt8(ascii: "\r"))
        output.append(UInt8(ascii: "\n"))
    }

    /// The registered phrase of a status that Cistern sends; empty for others (RFC 9112 §4 allows
    /// it).
    package static func reason(of status: Int) -> String {  // flat switch
        switch status {
        case 100: "Continue"
        case 200: "OK"
        case 201: "Created"
        case 202: "Accepted"
        case 204: "No Content"
        case 206: "Partial Content"
        case 301: "Moved Permanently"
        case 302: "Found"
        case 304: "Not Modified"
        case 307: "Temporary Redirect"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 411: "Length Required"
        case 412: "Precondition Failed"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 416: "Range Not Satisfiable"
        case 417: "Expectation Failed"
        case 421: "Misdirected Request"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        case 507: "Insufficient Storage"
        default: ""
        }
    }
}

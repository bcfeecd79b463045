/// What the one log line of a request says, after its body was sent or cut.
///
/// The line is formatted on the writer's thread; the loop only hands this value over.
package struct AccessRecord: Sendable {
    /// The name of the event: `pull` for registry requests.
    package var message = "pull"
    /// Identifies the request in the log, the error body and the upstream's log.
    package var requestID: String
    /// The client's address without port.
    package var client: String
    /// Who asked, if by a login that is right: a user's name, or `token:` and a robot's number.
    package var user: String?
    package var method: String
    /// The configured repository that answered, if the request found one.
    package var repository: String?
    /// The image's name within the repository.
    package var name: String?
    /// The tag or digest asked for; a path for requests that name no content.
    package var reference: String?
    package var status: Int
    /// Body bytes received of a push.
    package var received: Int64?
    /// Body bytes sent.
    package var bytes: Int64
    /// From the request's first byte to the response's last.
    package var duration: Duration
    /// From the request's last byte to the response's first.
    package var firstByte: Duration?
    package var cache: CacheResult?
    package var userAgent: String?
    /// False when the body was cut short, by either side.
    package var isComplete: Bool

    package init(
        requestID: String, client: String, method: String, repository: String? = nil,
        name: String? = nil, reference: String? = nil, status: Int, bytes: Int64,
        duration: Duration, firstByte: Duration? = nil, cache: CacheResult? = nil,
        userAgent: String? = nil, isComplete: Bool = true
    ) {
        self.requestID = requestID
        self.client = client
        self.method = method
        self.repository = repository
        self.name = name
        self.reference = reference
        self.status = status
        self.bytes = bytes
        self.duration = duration
        self.firstByte = firstByte
        self.cache = cache
        self.userAgent = userAgent
        self.isComplete = isComplete
    }

    /// The fields in the order of the line.
    var fields: [(key: String, value: LogValue)] {
        var fields: [(key: String, value: LogValue)] = [
            ("req", .string(requestID)), ("client", .string(client)), ("method", .string(method)),
            ("repo", .optional(repository)), ("name", .optional(name)),
            ("ref", .optional(reference)), ("status", .integer(Int64(status))),
            ("bytes", .integer(bytes)), ("dur", .duration(duration)),
            ("ttfb", firstByte.map { .duration($0) } ?? .absent),
            ("cache", .optional(cache?.rawValue)), ("ua", .optional(userAgent)),
        ]
        if let user { fields.insert(("user", .string(user)), at: 2) }
        if let received { fields.append(("in", .integer(received))) }
        if !isComplete { fields.append(("cut", true)) }
        return fields
    }

    /// The same record with text from outside cut to what a line can show.
    var clipped: AccessRecord {
        var record = self
        record.requestID = LogText.clipped(requestID)
        record.method = LogText.clipped(method)
        record.user = user.map(LogText.clipped)
        record.name = name.map(LogText.clipped)
        record.reference = reference.map(LogText.clipped)
        record.userAgent = userAgent.map(LogText.clipped)
        return record
    }
}

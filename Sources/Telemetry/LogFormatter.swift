/// Turns events into lines; used by the writer's thread alone.
struct LogFormatter {
    let style: LogStyle
    private var timestamp = Timestamp()

    init(style: LogStyle) {
        self.style = style
    }

    /// Appends the event's line and its newline.
    mutating func append(_ event: LogEvent, to bytes: inout [UInt8]) {
        switch style {
        case .terminal(let colour): appendTerminal(event, colour: colour, to: &bytes)
        case .journal:
            bytes += "<\(event.level.priority)>".utf8
            appendLogfmt(event, to: &bytes)
        case .logfmt:
            bytes += "time=".utf8
            timestamp.append(event.wallMilliseconds, to: &bytes)
            bytes += " level=\(event.level.rawValue) ".utf8
            appendLogfmt(event, to: &bytes)
        case .json: appendJSON(event, to: &bytes)
        }
        bytes.append(UInt8(ascii: "\n"))
    }

    private func appendLogfmt(_ event: LogEvent, to bytes: inout [UInt8]) {
        bytes += "msg=".utf8
        LogText.appendLogfmt(event.message, to: &bytes)
        for (key, value) in event.fields {
            appendLogfmt(key, value, to: &bytes)
        }
    }

    private func appendLogfmt(_ key: String, _ value: LogValue, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: " "))
        bytes += key.utf8
        bytes.append(UInt8(ascii: "="))
        switch value {
        case .string(let text): LogText.appendLogfmt(text, to: &bytes)
        case .integer(let number): bytes += String(number).utf8
        case .flag(let flag): bytes += (flag ? "true" : "false").utf8
        case .duration(let duration): appendSeconds(duration, to: &bytes)
        case .absent: bytes.append(UInt8(ascii: "-"))
        }
    }

    private mutating func appendJSON(_ event: LogEvent, to bytes: inout [UInt8]) {
        bytes += "{\"time\":\"".utf8
        timestamp.append(event.wallMilliseconds, to: &bytes)
        bytes += "\",\"level\":\"\(event.level.rawValue)\",\"msg\":".utf8
        LogText.appendJSON(event.message, to: &bytes)
        for (key, value) in event.fields where value != .absent {
            bytes += ",\"\(key)\":".utf8
            appendJSON(value, to: &bytes)
        }
        bytes.append(UInt8(ascii: "}"))
    }

    private func appendJSON(_ value: LogValue, to bytes: inout [UInt8]) {
        switch value {
        case .string(let text): LogText.appendJSON(text, to: &bytes)
        case .integer(let number): bytes += String(number).utf8
        case .flag(let flag): bytes += (flag ? "true" : "false").utf8
        case .duration(let duration): appendSeconds(duration, to: &bytes)
        case .absent: bytes += "null".utf8
        }
    }

    private mutating func appendTerminal(
        _ event: LogEvent, colour: Bool, to bytes: inout [UInt8]
    ) {
        appendColoured("2", colour, to: &bytes) {
            timestamp.appendTime(event.wallMilliseconds, to: &$0)
        }
        bytes.append(UInt8(ascii: " "))
        if case .access(let record) = event.content {
            appendTerminal(record, colour: colour, to: &bytes)
            return
        }
        appendColoured(event.level.colour, colour, to: &bytes) {
            $0 += event.level.padded.utf8
        }
        bytes.append(UInt8(ascii: " "))
        LogText.appendEscaped(event.message, to: &bytes, reserved: 0)
        for (key, value) in event.fields where value != .absent {
            appendLogfmt(key, value, to: &bytes)
        }
    }

    /// `GET 200 hit docker-hub library/nginx latest 2371 B 0.004213 s`.
    private func appendTerminal(
        _ record: AccessRecord, colour: Bool, to bytes: inout [UInt8]
    ) {
        LogText.appendEscaped(record.method, to: &bytes, reserved: 0)
        bytes.append(UInt8(ascii: " "))
        appendColoured(record.status < 400 ? "32" : "31", colour, to: &bytes) {
            $0 += String(record.status).utf8
        }
        let words = [record.cache?.rawValue, record.repository, record.name, record.reference]
        for word in words.compactMap(\.self) {
            bytes.append(UInt8(ascii: " "))
            LogText.appendEscaped(word, to: &bytes, reserved: 0)
        }
        bytes += " \(record.bytes) B ".utf8
        appendSeconds(record.duration, to: &bytes)
        bytes += " s\(record.isComplete ? "" : " cut")".utf8
    }

    private func appendColoured(
        _ code: String, _ colour: Bool, to bytes: inout [UInt8], _ body: (inout [UInt8]) -> Void
    ) {
        if colour { bytes += "\u{1B}[\(code)m".utf8 }
        body(&bytes)
        if colour { bytes += "\u{1B}[0m".utf8 }
    }

    /// Seconds with six decimals.
    private func appendSeconds(_ duration: Duration, to bytes: inout [UInt8]) {
        let (seconds, attoseconds) = duration.components
        guard seconds >= 0, attoseconds >= 0 else {
            bytes += "0.000000".utf8
            return
        }
        bytes += String(seconds).utf8
        bytes.append(UInt8(ascii: "."))
        Timestamp.appendPadded(attoseconds / 1_000_000_000_000, digits: 6, to: &bytes)
    }
}

extension LogEvent {
    fileprivate var message: String {
        switch content {
        case .message(let message, _): message
        case .access(let record): record.message
        }
    }

    fileprivate var fields: [(key: String, value: LogValue)] {
        switch content {
        case .message(_, let fields): fields
        case .access(let record): record.fields
        }
    }
}

extension Logger.Level {
    /// syslog's number, as the journal reads it.
    fileprivate var priority: Int {
        switch self {
        case .error: 3
        case .warn: 4
        case .info: 6
        case .debug: 7
        }
    }

    fileprivate var colour: String {
        switch self {
        case .error: "31"
        case .warn: "33"
        case .info: "36"
        case .debug: "2"
        }
    }

    fileprivate var padded: String {
        self == .warn || self == .info ? rawValue + " " : rawValue
    }
}

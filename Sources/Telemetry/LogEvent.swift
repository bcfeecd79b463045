/// Something that happened, as it waits for the writer.
struct LogEvent: Sendable {
    /// What kind of line it becomes.
    enum Content: Sendable {
        case message(String, [(key: String, value: LogValue)])
        case access(AccessRecord)
    }

    let level: Logger.Level
    /// Milliseconds since 1970, taken when it happened and not when it was written.
    let wallMilliseconds: Int64
    let content: Content
}

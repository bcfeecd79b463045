import Glibc
import Synchronization

/// The daemon's log: one line per event on standard error, written by a thread of its own.
///
/// A call costs the caller a queue entry and never waits, neither for the output nor for another
/// caller's formatting: when the reader of standard error falls behind by `LogQueue.eventsMax`
/// events, further ones are dropped, counted and reported by a line of their own.
package final class Logger: Sendable {
    /// How much an event matters.
    package enum Level: String, CaseIterable, Sendable, Comparable {
        case error
        case warn
        case info
        case debug

        package static func < (left: Level, right: Level) -> Bool {
            left.rank < right.rank
        }

        fileprivate var rank: UInt8 {
            switch self {
            case .error: 0
            case .warn: 1
            case .info: 2
            case .debug: 3
            }
        }
    }

    /// What `log.format` in the configuration may say.
    package enum Format: String, CaseIterable, Sendable {
        /// Coloured lines on a terminal, the journal's form under systemd, else logfmt.
        case auto
        case logfmt
        case json
    }

    private let queue = LogQueue()
    private let threshold: Atomic<UInt8>
    private let dropped = Atomic<Int>(0)
    private let wallMilliseconds: @Sendable () -> Int64

    /// Starts a log and its writer.
    ///
    /// - Parameters:
    ///   - format: What lines look like; `.auto` decides by what `descriptor` is.
    ///   - level: The least important level that is still written.
    ///   - descriptor: Where lines go; it stays the caller's and must outlive the log.
    ///   - environment: Looks up an environment variable (`JOURNAL_STREAM`, `NO_COLOR`, `TERM`).
    ///   - wallMilliseconds: Milliseconds since 1970, for the lines' time.
    package init(
        format: Format = .auto, level: Level = .info, descriptor: Int32 = 2,
        environment: (String) -> String? = { name in getenv(name).map { String(cString: $0) } },
        wallMilliseconds: (@Sendable () -> Int64)? = nil
    ) {
        threshold = Atomic(level.rank)
        self.wallMilliseconds = wallMilliseconds ?? WallClock.milliseconds
        let style = LogStyle(format: format, descriptor: descriptor, environment: environment)
        if !LogWriter(queue: queue, descriptor: descriptor, style: style).start() {
            queue.close()
        }
    }

    deinit {
        queue.close()
    }

    /// The least important level that is written; it may change while the daemon runs.
    package var level: Level {
        get {
            let rank = threshold.load(ordering: .relaxed)
            return Level.allCases.first { $0.rank == rank } ?? .info
        }
        set { threshold.store(newValue.rank, ordering: .relaxed) }
    }

    /// Whether events of `level` are written, for callers whose fields are costly to make.
    package func isEnabled(_ level: Level) -> Bool {
        level.rank <= threshold.load(ordering: .relaxed)
    }

    /// Logs an event.
    ///
    /// - Parameters:
    ///   - level: How much it matters.
    ///   - message: The event's name; constant, so that a search finds every occurrence.
    ///   - fields: What varies. Text is escaped and cut to 256 bytes (CRED-7); secrets do not
    ///     belong here at any level (CRED-6).
    package func log(
        _ level: Level, _ message: String, _ fields: KeyValuePairs<String, LogValue> = [:]
    ) {
        guard isEnabled(level) else { return }
        let fields = fields.map { (key: $0.key, value: $0.value.clipped) }
        push(level, .message(LogText.clipped(message), fields))
    }

    /// Logs a finished request.
    package func access(_ record: AccessRecord) {
        guard isEnabled(.info) else { return }
        push(.info, .access(record.clipped))
    }

    /// Lines lost since the start because the output was too slow.
    package var droppedLines: Int {
        dropped.load(ordering: .relaxed)
    }

    /// Waits until all events so far are written, for the moment before the process ends.
    ///
    /// It waits no longer than `limit` for an output that nobody reads.
    ///
    /// - Returns: Whether all of them were written.
    @discardableResult
    package func flush(within limit: Duration = .seconds(1)) -> Bool {
        let (seconds, attoseconds) = limit.components
        let bounded = max(0, min(seconds, 60))
        return queue.flush(within: Int(bounded * 1_000_000_000 + attoseconds / 1_000_000_000))
    }

    private func push(_ level: Level, _ content: LogEvent.Content) {
        let event = LogEvent(
            level: level, wallMilliseconds: wallMilliseconds(), content: content)
        if !queue.push(event) { dropped.add(1, ordering: .relaxed) }
    }
}

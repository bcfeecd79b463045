import Glibc
import Linux

/// How lines look, decided once from the wished format and where they go.
enum LogStyle: Sendable, Equatable {
    /// Short lines for a person.
    case terminal(colour: Bool)
    /// logfmt after a priority prefix; the journal has its own clock.
    case journal
    case logfmt
    case json

    /// Decides the style for lines that go to `descriptor`.
    init(format: Logger.Format, descriptor: Int32, environment: (String) -> String?) {
        switch format {
        case .json: self = .json
        case .logfmt: self = .logfmt
        case .auto: self = LogStyle.natural(for: descriptor, environment: environment)
        }
    }

    private static func natural(
        for descriptor: Int32, environment: (String) -> String?
    ) -> LogStyle {
        if isatty(descriptor) == 1 {
            let isPlain = environment("NO_COLOR").map { !$0.isEmpty } ?? false
            return .terminal(colour: !isPlain && environment("TERM") != "dumb")
        }
        guard let stream = environment("JOURNAL_STREAM") else { return .logfmt }
        return stream == deviceAndInode(of: descriptor) ? .journal : .logfmt
    }

    /// `device:inode` as systemd writes it into `$JOURNAL_STREAM`.
    static func deviceAndInode(of descriptor: Int32) -> String? {
        guard let status = try? System.fstat(descriptor) else { return nil }
        return "\(status.st_dev):\(status.st_ino)"
    }
}

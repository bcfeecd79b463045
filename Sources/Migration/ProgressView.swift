import Reactor

/// What a run shows while it runs: bars that are drawn anew on a terminal, lines elsewhere.
///
/// A value without clock or output: its owner says what time it is and writes what it gives.
struct ProgressView {
    enum Style: Sendable { case bars, lines }

    /// Images that are named below the bar.
    private static let activeMax = 8
    private static let barWidth = 24

    let style: Style
    let started: Instant
    /// The terminal's columns; no line is longer, since a wrapped one could not be drawn over.
    var columns = 80
    private var linesDrawn = 0
    private var window: [(at: Instant, bytes: Int64)] = []
    private var lastLine: Instant
    private var lastShown = ""

    init(_ style: Style, started: Instant) {
        self.style = style
        self.started = started
        lastLine = started
    }

    /// What is to be written now.
    mutating func update(_ sample: Scoreboard.Sample, at now: Instant) -> String {
        window.append((now, sample.bytes))
        while window.count > 2, now - window[0].at > .seconds(10) { window.removeFirst() }
        switch style {
        case .bars: return drawn(sample, at: now)
        case .lines:
            guard now - lastLine >= .seconds(10) else { return "" }
            lastLine = now
            let text = head(sample, at: now)
            defer { lastShown = text }
            return text == lastShown ? "" : text + "\n"
        }
    }

    /// A line that stays, such as one for each image; the bars go on below it.
    mutating func line(_ text: String) -> String {
        defer { linesDrawn = 0 }
        return erased + text + "\n"
    }

    /// Takes the bars away.
    mutating func end() -> String {
        defer { linesDrawn = 0 }
        return erased
    }

    private var erased: String {
        style == .bars && linesDrawn > 0 ? "\u{1b}[\(linesDrawn)F\u{1b}[J" : ""
    }

    private mutating func drawn(_ sample: Scoreboard.Sample, at now: Instant) -> String {
        var lines = [head(sample, at: now)]
        lines += sample.active.prefix(Self.activeMax).map { active($0) }
        if sample.active.count > Self.activeMax {
            lines.append(" and \(sample.active.count - Self.activeMax) more")
        }
        lines += limits(sample, at: now)
        defer { linesDrawn = lines.count }
        return erased + lines.map { String($0.prefix(max(20, columns - 1))) + "\n" }.joined()
    }

    /// An image's line: its bar once it is known that something of it is to be sent.
    private func active(_ image: Scoreboard.Active) -> String {
        guard image.expected > 0 else { return " \(image.label)" }
        // Manifests are sent besides.
        let sent = min(image.sent, image.expected)
        let share = Double(sent) / Double(image.expected)
        let numbers = "\(Quantity.size(sent))/\(Quantity.size(image.expected))"
        let end = "  \(Self.bar(share, width: Self.barWidth / 2))  \(numbers)"
        return " \(image.label.prefix(max(10, columns - 2 - end.count)))\(end)"
    }

    private static func bar(_ share: Double, width: Int) -> String {
        let filled = Int(share * Double(width))
        return String(repeating: "█", count: filled)
            + String(repeating: "░", count: width - filled)
    }

    private func head(_ sample: Scoreboard.Sample, at now: Instant) -> String {
        if let listing = sample.listing { return "listing \(listing)" }
        let share = sample.total > 0 ? Double(sample.done) / Double(sample.total) : 0
        let bar = style == .lines ? "" : Self.bar(share, width: Self.barWidth) + "  "
        var text = "\(bar)\(sample.done)/\(sample.total) images"
        text += "  \(Quantity.size(sample.bytes))  \(Quantity.size(rate))/s"
        if sample.failed > 0 { text += "  \(sample.failed) failed" }
        if let left = remaining(sample, at: now) { text += "  \(Quantity.time(left)) left" }
        return text
    }

    /// Bytes a second, lately.
    private var rate: Int64 {
        guard let first = window.first, let last = window.last, last.at > first.at else { return 0 }
        return Int64(Double(last.bytes - first.bytes) / (last.at - first.at).inSeconds)
    }

    /// By how long the images so far took; nil while that says little.
    private func remaining(_ sample: Scoreboard.Sample, at now: Instant) -> Double? {
        let passed = (now - started).inSeconds
        guard sample.done >= 3, passed >= 3, sample.total > sample.done else { return nil }
        return passed / Double(sample.done) * Double(sample.total - sample.done)
    }

    private func limits(_ sample: Scoreboard.Sample, at now: Instant) -> [String] {
        sample.limits.filter { $0.value > now }
            .sorted { $0.key.rawValue < $1.key.rawValue }
            .map { side, until in
                " waiting: the \(side.rawValue) limits requests, next in "
                    + Quantity.time((until - now).inSeconds)
            }
    }
}

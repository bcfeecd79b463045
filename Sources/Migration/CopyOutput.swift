import Reactor

/// Where a command writes: the report goes to standard output, talk to standard error.
package struct CopyOutput: Sendable {
    package enum Progress: Sendable { case bars, lines, none }

    package var progress: Progress
    package var output: @Sendable (String) -> Void
    package var error: @Sendable (String) -> Void
    /// The terminal's width now.
    package var columns: @Sendable () -> Int

    package init(
        progress: Progress, output: @escaping @Sendable (String) -> Void,
        error: @escaping @Sendable (String) -> Void, columns: @escaping @Sendable () -> Int
    ) {
        self.progress = progress
        self.output = output
        self.error = error
        self.columns = columns
    }
}

/// The one place that draws: progress, and lines that stay.
actor CopyScreen {
    private static let frame = Duration.milliseconds(200)

    private let loop: EventLoop
    private let output: CopyOutput
    private let scoreboard: Scoreboard
    private var view: ProgressView?
    private var isOver = false

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(_ loop: EventLoop, _ output: CopyOutput, _ scoreboard: Scoreboard) {
        self.loop = loop
        self.output = output
        self.scoreboard = scoreboard
        view =
            switch output.progress {
            case .bars: ProgressView(.bars, started: loop.now)
            case .lines: ProgressView(.lines, started: loop.now)
            case .none: nil
            }
    }

    /// Draws until `end`.
    func run() async {
        while !isOver {
            draw()
            await loop.sleep(for: Self.frame)
        }
    }

    private func draw() {
        view?.columns = output.columns()
        write(view?.update(scoreboard.sample, at: loop.now))
    }

    /// What is said of every image only where there are no bars.
    func finished(_ text: String, isFailure: Bool) {
        guard output.progress == .lines || (isFailure && output.progress == .bars) else { return }
        write(view?.line(text))
    }

    func end() {
        isOver = true
        write(view?.end())
    }

    private func write(_ text: String?) {
        if let text, !text.isEmpty { output.error(text) }
    }
}

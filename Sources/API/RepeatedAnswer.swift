import Registry
import Server
import Telemetry

/// An answer to a pull that is given again to who asks in the same words: counted each time, and
/// only as long as rights, repositories and what was found are the same.
final class RepeatedAnswer: Repetition {
    /// What the answer came from.
    enum Source: Sendable {
        case manifest(HotManifest)
        case blob(HotBlob)
    }

    private let source: Source
    private let handler: RegistryHandler
    /// The handler's replacements when the answer was worked out.
    private let replacement: UInt64
    private let observation: RequestObserver.Observation

    init(
        _ source: Source, _ observation: RequestObserver.Observation, by handler: RegistryHandler,
        since replacement: UInt64
    ) {
        self.source = source
        self.observation = observation
        self.handler = handler
        self.replacement = replacement
    }

    func again() -> Body? {
        guard handler.replacement == replacement, let body else { return nil }
        observation.began()
        return body
    }

    private var body: Body? {
        switch source {
        case .manifest(let hot): hot.again().map { .bytes($0.bytes) }
        case .blob(let hot): hot.again().map { .file($0, nil) }
        }
    }

    func finished(_ body: Body, _ request: Request, _ outcome: ResponseOutcome) {
        observation.finished(request, outcome)
        if outcome.cut == .source, case .blob(let hot) = source, case .file(let file, _) = body {
            hot.couldNotSend(file)
        }
    }
}

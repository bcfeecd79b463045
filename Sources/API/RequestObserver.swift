package import HTTP
import OCI
import Registry
package import Server
package import Telemetry

/// Writes the access line and the metrics of each request.
package final class RequestObserver: Sendable {
    private let logger: Logger
    private let metrics: DaemonMetrics
    private let repositories: @Sendable (String) -> RepositoryMetrics?
    private let writesAccessLines: Bool

    package init(
        logger: Logger, metrics: DaemonMetrics, writesAccessLines: Bool,
        repositories: @escaping @Sendable (String) -> RepositoryMetrics?
    ) {
        self.logger = logger
        self.metrics = metrics
        self.writesAccessLines = writesAccessLines
        self.repositories = repositories
    }

    func began(_ route: RouteLabel) {
        metrics.http.began(route)
    }

    /// Completes an answer with what every answer carries and counts it when it is sent.
    func observe(_ answer: Answer, _ request: Request, _ route: RouteLabel) -> Response {
        observation(of: answer, route, request.head.method).complete(answer.response, to: request)
    }

    /// What is needed to count an answer and to write its access lines, as often as it is given.
    final class Observation: Sendable {
        private let observer: RequestObserver
        fileprivate let route: RouteLabel
        fileprivate let method: MethodLabel
        fileprivate let repository: RepositoryMetrics?
        /// Without its fields, and without its body, which may be forgotten before the answer is.
        fileprivate let answer: Answer

        fileprivate init(
            _ observer: RequestObserver, _ answer: Answer, _ route: RouteLabel, _ method: Method
        ) {
            self.observer = observer
            self.route = route
            self.method = MethodLabel(method)
            repository = answer.repository.flatMap { observer.repositories($0) }
            var answer = answer
            answer.response = Response(status: answer.response.status)
            answer.again = nil
            self.answer = answer
        }

        /// The answer's response with what every one carries; counted here, and when it is sent.
        func complete(_ response: Response, to request: Request) -> Response {
            var response = response
            if !response.fields.contains("Cache-Status") {
                response.fields.append(
                    "Cache-Status", CacheStatus(detail: "generated here").value())
            }
            requested()
            let after = response.finished
            response.finished = { [self] outcome in
                finished(outcome) { request }
                after?(outcome)
            }
            return response
        }

        /// The same answer is given again.
        func began() {
            observer.began(route)
            requested()
        }

        private func requested() {
            if let repository, let kind = answer.kind, let outcome = answer.outcome {
                repository.requested(kind, outcome.kind)
            }
        }

        /// An answer of this kind was sent; `reference` where it is another than the first one's.
        func finished(
            _ outcome: ResponseOutcome, of reference: @autoclosure () -> String? = nil,
            request: () -> Request
        ) {
            observer.finished(self, outcome)
            guard observer.writesAccessLines else { return }
            observer.writeLine(answer, reference() ?? answer.reference, request(), outcome, route)
        }
    }

    func observation(
        of answer: Answer, _ route: RouteLabel, _ method: Method
    ) -> Observation {
        Observation(self, answer, route, method)
    }

    private func finished(_ observation: Observation, _ outcome: ResponseOutcome) {
        let answer = observation.answer
        metrics.http.finished(
            observation.route, method: observation.method, status: outcome.status,
            duration: outcome.duration, firstByte: outcome.timeToFirstByte,
            cache: answer.outcome?.kind)
        if let repository = observation.repository, let source = answer.outcome?.source,
            outcome.bytesSent > 0
        {
            repository.sent(outcome.bytesSent, from: source)
        }
        if let failure = answer.authFailure { metrics.access.failed(failure) }
    }

    private func writeLine(
        _ answer: Answer, _ reference: String?, _ request: Request, _ outcome: ResponseOutcome,
        _ route: RouteLabel
    ) {
        var record = AccessRecord(
            requestID: request.id.description, client: request.peer,
            method: request.head.method.description,
            repository: answer.repository, name: answer.name, reference: reference,
            status: outcome.status, bytes: outcome.bytesSent, duration: outcome.duration,
            firstByte: outcome.timeToFirstByte, cache: answer.outcome?.kind,
            userAgent: request.head.headers[first: "User-Agent"],
            isComplete: outcome.isComplete)
        record.user = answer.user
        record.received = answer.received
        if ![.get, .head].contains(request.head.method) { record.message = "push" }
        if route == .admin {
            record.message = "admin"
            record.reference = request.head.target.path
        }
        logger.access(record)
    }

    /// The answer to a request that was refused before it had a meaning.
    package func refuse(_ error: RequestError, _ context: RefusalContext) -> Response {
        let code: ErrorCode = error.status == 421 ? .nameUnknown : .unsupported
        // What a client shows of it tells more than "Misdirected Request".
        var answer = Answer.error(
            error.status, code, error.reason, reason: error.status == 421 ? error.reason : nil)
        answer.response.fields.append(
            "Cache-Status", CacheStatus(detail: "generated here").value())
        metrics.http.began(.other)
        answer.response.finished = { [metrics, logger, writesAccessLines] outcome in
            metrics.http.finished(
                .other, method: .other, status: outcome.status, duration: outcome.duration,
                firstByte: outcome.timeToFirstByte, cache: nil)
            guard writesAccessLines else { return }
            logger.access(
                AccessRecord(
                    requestID: context.id.description, client: context.peer, method: "-",
                    reference: error.reason, status: outcome.status, bytes: outcome.bytesSent,
                    duration: outcome.duration, firstByte: outcome.timeToFirstByte,
                    isComplete: outcome.isComplete))
        }
        return answer.response
    }
}

extension MethodLabel {
    fileprivate init(_ method: Method) {
        switch method {
        case .get: self = .get
        case .head: self = .head
        default: self = .other
        }
    }
}

extension CacheOutcome {
    /// Where the bytes of the answer came from.
    fileprivate var source: ByteSource {
        switch kind {
        case .hit, .revalidated, .stale, .negative: .cache
        case .miss, .coalesced, .bypass: .upstream
        }
    }
}

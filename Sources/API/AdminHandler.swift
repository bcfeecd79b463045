package import HTTP
import OCI
package import Server
package import Telemetry

/// `/healthz`, `/readyz` and `/metrics` on their own address, away from clients.
///
/// Nothing here changes anything (LOC-4).
package final class AdminHandler: RequestHandler {
    /// One thing that has to be in order for the daemon to serve.
    package struct Check: Sendable {
        package let name: String
        package let isGood: @Sendable () -> Bool

        package init(_ name: String, isGood: @escaping @Sendable () -> Bool) {
            self.name = name
            self.isGood = isGood
        }
    }

    private let metrics: Metrics
    private let observer: RequestObserver
    private let checks: [Check]

    /// Takes what is to be in order for `/readyz`.
    ///
    /// Upstreams are none of it: a cache stays ready when Docker Hub is down.
    package init(metrics: Metrics, observer: RequestObserver, checks: [Check]) {
        self.metrics = metrics
        self.observer = observer
        self.checks = checks
    }

    package func respond(to request: Request) async -> Response {
        observer.began(.admin)
        return observer.observe(Answer(answer(request)), request, .admin)
    }

    private func answer(_ request: Request) -> Response {
        guard request.head.method == .get || request.head.method == .head else {
            var response = text(405, "only GET and HEAD\n")
            response.fields.append("Allow", "GET, HEAD")
            return response
        }
        switch request.head.target.path {
        case "/healthz": return text(200, "ok\n")
        case "/readyz": return readiness(verbose: request.head.target.first("verbose") != nil)
        case "/metrics":
            var fields: HeaderFields = ["Cache-Control": "no-store"]
            fields.append("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            return Response(status: 200, fields: fields, body: .bytes(metrics.render()))
        default: return text(404, "see /healthz, /readyz and /metrics\n")
        }
    }

    package func refuse(_ error: RequestError, _ context: RefusalContext) -> Response {
        observer.refuse(error, context)
    }

    private func readiness(verbose: Bool) -> Response {
        let results = checks.map { (name: $0.name, isGood: $0.isGood()) }
        let isReady = results.allSatisfy(\.isGood)
        var lines = isReady ? "ready\n" : "not ready\n"
        for result in results where verbose || !result.isGood {
            lines += "\(result.isGood ? "ok  " : "FAIL") \(result.name)\n"
        }
        return text(isReady ? 200 : 503, lines)
    }

    private func text(_ status: Int, _ text: String) -> Response {
        var fields: HeaderFields = ["Cache-Control": "no-store"]
        fields.append("Content-Type", "text/plain; charset=utf-8")
        fields.append("X-Content-Type-Options", "nosniff")
        return Response(status: status, fields: fields, body: .bytes(Array(text.utf8)))
    }
}

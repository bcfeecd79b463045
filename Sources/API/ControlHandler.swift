package import HTTP
import OCI
package import Registry
package import Server
import Telemetry

/// What changes something, on a unix socket that only the daemon's user can open (LOC-4).
///
/// Answers are lines of text that come while the work is done; the last begins with `done:`, or
/// with `error:` if the command failed. Asked by the commands of `cistern`.
package final class ControlHandler: RequestHandler {
    private let registry: RegistryHandler
    private let content: Content
    private let observer: RequestObserver
    private let isStopping: @Sendable () -> Bool

    /// `isStopping` ends what would otherwise hold up the daemon's end.
    package init(
        registry: RegistryHandler, content: Content, observer: RequestObserver,
        isStopping: @escaping @Sendable () -> Bool
    ) {
        self.registry = registry
        self.content = content
        self.observer = observer
        self.isStopping = isStopping
    }

    package func respond(to request: Request) async -> Response {
        observer.began(.admin)
        return observer.observe(Answer(await answer(request)), request, .admin)
    }

    package func refuse(_ error: RequestError, _ context: RefusalContext) -> Response {
        observer.refuse(error, context)
    }

    private func answer(_ request: Request) async -> Response {
        let target = request.head.target
        let isRead = request.head.method == .get || request.head.method == .head
        switch target.path {
        case "/pins" where isRead: return text(200, content.pins.map(line).joined())
        case "/verify" where !isRead: return await verify(target)
        case "/pin" where !isRead: return await pin(target)
        case "/unpin" where !isRead: return await unpin(target)
        default: return text(404, "error: no such command\n")
        }
    }

    // MARK: - Verify

    private func verify(_ target: RequestTarget) async -> Response {
        let rate = target.first("rate").flatMap { Int64($0) }
        let references = target.all("ref")
        guard !references.isEmpty else {
            return stream(VerifyStream(content, images: nil, rate: rate, isStopping))
        }
        var images: [(name: String, digest: Digest)] = []
        for reference in references {
            guard let digest = storedDigest(reference) else {
                return text(404, "error: \(printable(reference)) is not stored\n")
            }
            images.append((reference, digest))
        }
        return stream(VerifyStream(content, images: images, rate: rate, isStopping))
    }

    /// The stored image that a reference means: one that was pulled, or pushed.
    private func storedDigest(_ text: String) -> Digest? {
        guard let found = locate(text), let known = Reference(parsing: found.reference) else {
            return nil
        }
        return switch found.repository {
        case .proxy(let proxy): proxy.storedDigest(found.name, known)
        case .hosted(let hosted): hosted.storedDigest(found.name, known)
        case .group: nil
        }
    }

    // MARK: - Pins

    private func pin(_ target: RequestTarget) async -> Response {
        guard let reference = target.first("ref"), let found = find(reference) else {
            return unknown(target)
        }
        let isPattern = found.reference.contains("*")
        let known = Reference(parsing: found.reference)
        guard isPattern || known != nil else { return unknown(target) }
        let note = target.first("note") ?? ""
        guard note.utf8.count <= Self.noteBytesMax,
            note.unicodeScalars.allSatisfy({ $0.value >= 32 && $0.value != 127 })
        else { return text(400, "error: a note has at most 200 bytes, all in one line\n") }
        let length = target.first("seconds").flatMap { Int64($0) }
        guard await found.proxy.pin(found.name, found.reference, for: length, note: note) else {
            return text(500, "error: the index did not take it\n")
        }
        guard let known else {
            return text(200, "done: pinned all tags that match, now and later; nothing fetched\n")
        }
        do throws(RegistryError) {
            let (objects, failed) = try await found.proxy.fetchAll(found.name, known)
            if failed == 0 { return text(200, "done: pinned, all \(objects) objects are stored\n") }
            return text(
                502, "error: pinned, but \(failed) of \(objects) objects could not be fetched\n")
        } catch {
            return text(502, "error: pinned, but it could not be fetched: \(error.reason)\n")
        }
    }

    private static let noteBytesMax = 200

    /// The image alone, where no end and no note were given.
    private func line(_ pin: PinnedImage) -> String {
        let end = pin.until.map { "  until \(Timestamp.text($0))" } ?? ""
        return pin.image + end + (pin.note.isEmpty ? "" : "  \(pin.note)") + "\n"
    }

    private func unpin(_ target: RequestTarget) async -> Response {
        guard let reference = target.first("ref"), let found = find(reference) else {
            return unknown(target)
        }
        return await found.proxy.unpin(found.name, found.reference)
            ? text(200, "done: unpinned; it goes when it is the least recently used\n")
            : text(404, "error: \(printable(reference)) is not pinned\n")
    }

    private func unknown(_ target: RequestTarget) -> Response {
        let reference = printable(target.first("ref") ?? "")
        return text(
            404,
            "error: \(reference) names no image of a proxy; write docker.io/library/nginx:1.27\n")
    }

    // MARK: - Common

    /// A proxy's image: `docker.io/library/nginx:1.27`, `…@sha256:…`, `…:*`.
    private func find(
        _ text: String
    ) -> (proxy: ProxyRepository, name: RepositoryName, reference: String)? {
        guard let found = locate(text), case .proxy(let proxy) = found.repository else {
            return nil
        }
        return (proxy, found.name, found.reference)
    }

    private func locate(
        _ text: String
    ) -> (repository: Repository, name: RepositoryName, reference: String)? {
        let (path, reference) = Self.split(text)
        let components = path.split(separator: "/", omittingEmptySubsequences: false)[...]
        guard components.count > 1, let first = components.first,
            let repository = registry.repository(named: first),
            let name = RepositoryName(parsing: components.dropFirst().joined(separator: "/"))
        else { return nil }
        return (repository, name, reference)
    }

    private static func split(_ text: String) -> (path: String, reference: String) {
        if let at = text.firstIndex(of: "@") {
            return (String(text[..<at]), String(text[text.index(after: at)...]))
        }
        let name = text.lastIndex(of: "/").map { text[$0...] } ?? text[...]
        guard let colon = name.lastIndex(of: ":") else { return (text, "latest") }
        return (String(text[..<colon]), String(text[text.index(after: colon)...]))
    }

    private func printable(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.prefix(200).filter { $0.value > 32 }))
    }

    private func text(_ status: Int, _ text: String) -> Response {
        Response(status: status, fields: Self.fields, body: .bytes(Array(text.utf8)))
    }

    private func stream(_ stream: VerifyStream) -> Response {
        Response(status: 200, fields: Self.fields, body: .stream(stream, length: nil))
    }

    private static let fields: HeaderFields = [
        "Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store",
    ]
}

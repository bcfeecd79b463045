import HTTP
import OCI
import Reactor
import Registry
import Server
import Telemetry

/// One pull request whose repository is found: what its answer looks like.
struct Pull {
    let request: Request
    let repository: Repository
    let name: RepositoryName
    /// Whether whoever asks is about to push, and wants to know what need not be sent: what is here
    /// counts then, and nobody else is asked.
    var isBeforePush = false

    /// Headers whose content never changes may be kept by anybody for a year (RFC 8246).
    private static let immutable = "max-age=31536000, immutable"

    // MARK: - Manifests

    /// The manifest of a tag or digest, byte for byte as it came.
    func manifest(_ text: Substring) async -> Answer {
        guard let reference = Reference(parsing: text) else { return .noReference(text) }
        var answer: Answer
        do throws(RegistryError) {
            let found = try await repository.manifest(
                name, reference, isHead: request.head.method == .head)
            answer = manifest(found, reference)
        } catch {
            answer = .failure(error, missing: .manifestUnknown, what: describe(reference))
        }
        answer.kind = .manifest
        answer.reference = reference.description
        return answer
    }

    private func manifest(_ found: ManifestAnswer, _ reference: Reference) -> Answer {
        let manifest = found.manifest
        var fields = contentFields(manifest.digest, found.outcome)
        fields.append("Content-Type", manifest.mediaType)
        switch reference {
        case .digest: fields.append("Cache-Control", Self.immutable)
        case .tag: fields.append("Cache-Control", "no-cache")
        }
        if let age = found.staleSeconds { fields.append("Age", age) }
        var answer = Answer(Response(status: 200, fields: fields, body: .bytes(manifest.bytes)))
        if isUnchanged(manifest.digest) {
            answer.response = notModified(fields)
        } else {
            answer.again = found.again.map { .manifest($0) }
        }
        answer.outcome = found.outcome
        return answer
    }

    // MARK: - Blobs

    /// The blob, or the range of it that is asked for; also while it still grows.
    func blob(_ text: Substring) async -> Answer {
        guard let digest = Digest(parsing: text) else {
            return .error(400, .digestInvalid, "the digest is not valid")
        }
        var answer: Answer
        do throws(RegistryError) {
            answer =
                request.head.method == .head
                ? try await blobHead(digest) : try await blobBody(digest)
        } catch {
            answer = .failure(
                error, missing: .blobUnknown, what: describe(.digest(digest)))
        }
        answer.kind = .blob
        answer.reference = digest.description
        return answer
    }

    private func blobHead(_ digest: Digest) async throws(RegistryError) -> Answer {
        let head =
            isBeforePush
            ? try await repository.storedBlobHead(name, digest)
            : try await repository.blobHead(name, digest)
        let fields = blobFields(digest, head.outcome)
        var answer = Answer(
            Response(status: 200, fields: fields, body: .headOnly(length: head.size)))
        if isUnchanged(digest) { answer.response = notModified(fields) }
        answer.outcome = head.outcome
        return answer
    }

    private func blobBody(_ digest: Digest) async throws(RegistryError) -> Answer {
        let range = self.range(digest)
        let isRest = range.flatMap { ByteRange.parse($0)?.contains { $0 != .from(0) } } ?? false
        if isRest, repository.hadMismatch(digest) { throw .rangeOfCorrupt }
        let found = try await repository.blob(name, digest)
        // The wait may have been for a fetch that found the first part wrong and began again.
        if isRest, repository.hadMismatch(digest) {
            if case .stream(let stream) = found.content { stream.cancel() }
            throw .rangeOfCorrupt
        }
        var fields = blobFields(digest, found.outcome)
        var answer: Answer
        if isUnchanged(digest) {
            answer = Answer(notModified(fields))
        } else {
            switch found.size.map({ RangeSet(range, size: $0) }) ?? .whole {
            case .whole:
                answer = Answer(Response(status: 200, fields: fields, body: found.body(nil)))
                // Conditions may be met by one blob and not by another.
                let isPlain =
                    !request.head.headers.contains(anyOf: ["Range", "If-None-Match"])
                if isPlain { answer.again = found.again.map { .blobs($0) } }
            case .single(let part):
                fields.append(
                    "Content-Range", ContentRange(part, total: found.size).description)
                answer = Answer(Response(status: 206, fields: fields, body: found.body(part)))
            case .multiple(let parts):
                answer = multiple(parts, found, fields)
            case .unsatisfiable:
                answer = .error(416, .rangeInvalid, "the range lies behind the end of the blob")
                answer.response.fields.append(
                    "Content-Range",
                    ContentRange(unsatisfiable: found.size ?? 0).description)
            }
        }
        answer.outcome = found.outcome
        answer.response.finished = Self.end(of: found, repository.content)
        if case .file(let file) = found.content, file.progress.phase != .complete {
            let what = describe(.digest(digest))
            answer.response.instead = {
                var answer = Answer.error(
                    502, .unavailable, "\(what) broke off or arrived damaged; ask again",
                    reason: "blob broke off or was damaged")
                answer.response.fields.append("Retry-After", 5)
                return answer.response
            }
        }
        return answer
    }

    private static func end(
        of blob: BlobAnswer, _ content: Content
    ) -> @Sendable (ResponseOutcome) -> Void {
        { if $0.cut == .source { content.couldNotSend(blob) } }
    }

    private func multiple(
        _ parts: [Range<Int64>], _ found: BlobAnswer, _ fields: HeaderFields
    ) -> Answer {
        guard case .file(let file) = found.content, let size = found.size else {
            return Answer(Response(status: 200, fields: fields, body: found.body(nil)))
        }
        var fields = fields
        fields.remove("Content-Type")
        let body = Body.multipart(
            file, parts, total: size, contentType: MediaType.octetStream)
        return Answer(Response(status: 206, fields: fields, body: body))
    }

    /// The `Range` header, unless `If-Range` names another blob (RFC 9110 §13.1.5).
    private func range(_ digest: Digest) -> String? {
        guard let range = request.head.headers[first: "Range"] else { return nil }
        guard let condition = request.head.headers[first: "If-Range"] else { return range }
        return EntityTag(digest.description).matches(ifRange: condition) ? range : nil
    }

    private func blobFields(_ digest: Digest, _ outcome: CacheOutcome) -> HeaderFields {
        var fields = contentFields(digest, outcome)
        fields.append("Content-Type", MediaType.octetStream)
        fields.append("Accept-Ranges", "bytes")
        fields.append("Cache-Control", Self.immutable)
        return fields
    }

    // MARK: - Common

    private func contentFields(_ digest: Digest, _ outcome: CacheOutcome) -> HeaderFields {
        var fields = Answer.commonFields
        let text = digest.description
        fields.append("Docker-Content-Digest", text)
        fields.append("ETag", "\"\(text)\"")
        note(outcome, in: &fields)
        return fields
    }

    func listFields(_ outcome: CacheOutcome) -> HeaderFields {
        var fields = Answer.commonFields
        note(outcome, in: &fields)
        return fields
    }

    /// What the cache did, and a warning when it serves something old (UP-6).
    private func note(_ outcome: CacheOutcome, in fields: inout HeaderFields) {
        fields.append("Cache-Status", outcome.cacheStatus.value(appendingTo: outcome.parent))
        if outcome.kind == .hit, outcome.detail == CacheOutcome.offline {
            fields.append("Warning", "112 - \"Disconnected Operation\"")
        }
        guard outcome.kind == .stale else { return }
        // 110 for caches; 299 is what OCI clients print (OCI "Warnings").
        fields.append("Warning", "110 - \"Response is Stale\"")
        fields.append(
            "Warning",
            "299 - \"cistern: served from the cache, since the upstream cannot be asked "
                + "(\(outcome.detail ?? "unknown"))\"")
    }

    private func isUnchanged(_ digest: Digest) -> Bool {
        guard let condition = request.head.headers[first: "If-None-Match"] else { return false }
        return EntityTag(digest.description).matches(ifNoneMatch: condition)
    }

    private func notModified(_ fields: HeaderFields) -> Response {
        var fields = fields
        fields.remove("Content-Type")
        return Response(status: 304, fields: fields, body: .empty)
    }

    func describe(_ reference: Reference) -> String {
        switch reference {
        case .tag(let tag): "\(name):\(tag)"
        case .digest(let digest): "\(name)@\(digest)"
        }
    }
}

extension BlobAnswer {
    /// The body to send: the whole blob, or one range of it.
    func body(_ range: Range<Int64>?) -> Body {
        switch content {
        case .file(let file): .file(file, range)
        case .stream(let stream):
            .stream(
                PassThrough(stream, range: range),
                length: range.map { $0.upperBound - $0.lowerBound } ?? size)
        }
    }
}

import HTTP
import OCI
import Reactor
import Registry
import Server
import Store
import Telemetry

/// One request that changes a hosted repository: what it does and what its answer looks like.
struct Push {
    let request: Request
    let hosted: HostedRepository
    let name: RepositoryName
    /// The path of the image as this client names it, without an end.
    let base: String
    /// Who pushes, for what is bound to him (AUTH-7); empty for nobody in particular.
    let user: String
    /// Body bytes so far.
    let received = BoundCounter()
    /// What of the blobs that a manifest lacks can be had where it is pushed; see `adopt`.
    let offer: Offer

    /// Whether a blob can be read under the name that is pushed to, through the same repository.
    typealias Offer = (Digest) async -> Bool

    var target: RequestTarget { request.head.target }

    /// A path of the same image, as this client names it.
    func location(_ resource: String) -> String {
        let path = PercentEncoding.encodePath("\(base)/\(resource)")
        guard let namespace = target.first("ns") else { return path }
        return "\(path)?ns=\(PercentEncoding.encode(namespace))"
    }

    func accepted(_ status: Int, _ fields: HeaderFields) -> Answer {
        Answer(Response(status: status, fields: fields))
    }

    // MARK: - Manifests

    /// PUT of a manifest by tag or digest, with more tags in the query (OCI "Pushing Manifests").
    func manifest(_ text: Substring) async -> Answer {
        guard let reference = Reference(parsing: text) else {
            return text.utf8.contains(UInt8(ascii: ":"))
                ? .noReference(text)
                : .error(400, .manifestInvalid, "the reference is neither a tag nor a digest")
        }
        let named = target.all("tag")
        let tags = named.compactMap { Tag(parsing: $0) }
        guard tags.count == named.count else {
            return .error(400, .tagInvalid, "a tag in the query is not valid")
        }
        guard tags.count <= HostedPolicy.tagsMax else {
            return .error(414, .tagInvalid, "at most \(HostedPolicy.tagsMax) tags at a time")
        }
        let bytes: [UInt8]
        switch await whole(upTo: hosted.policy.manifestBytesMax) {
        case .success(let found): bytes = found
        case .failure(let problem): return problem.answer
        }
        let check = hosted.check(reference.digest?.algorithm ?? .sha256)
        await check.add(Chunk(bytes))
        let digest = check.digest
        guard reference.digest.map({ $0 == digest }) ?? true else {
            return .error(
                400, .digestInvalid, "the manifest's digest is not the one it is pushed as")
        }
        var answer: Answer
        do throws(PushError) {
            let subject = try await put(
                bytes, as: digest, tags: tags + [reference.tag].compactMap { $0 })
            var fields = Answer.commonFields
            fields.append("Location", location("manifests/\(digest)"))
            fields.append("Docker-Content-Digest", digest.description)
            if let subject { fields.append("OCI-Subject", subject.description) }
            for tag in tags { fields.append("OCI-Tag", tag.text) }
            answer = accepted(201, fields)
        } catch {
            answer = .failure(error, missing: .manifestUnknown)
        }
        answer.reference = reference.description
        return answer
    }

    private func put(
        _ bytes: [UInt8], as digest: Digest, tags: [Tag]
    ) async throws(PushError) -> Digest? {
        let type = request.head.headers[first: "Content-Type"]
        do throws(PushError) {
            return try await hosted.put(bytes, as: digest, contentType: type, tags: tags, name)
        } catch {
            guard case .blobsUnknown(let missing) = error, await adopt(missing) else { throw error }
        }
        return try await hosted.put(bytes, as: digest, contentType: type, tags: tags, name)
    }

    /// Takes over blobs that were not sent because a group shows them under this name already, as
    /// parts of an image of one of its proxies; false if one of them is not to be had.
    private func adopt(_ missing: [Digest]) async -> Bool {
        for digest in missing {
            guard await offer(digest) else { return false }
            do throws(PushError) { try await hosted.host(digest, name) } catch { return false }
        }
        return true
    }

    // MARK: - Deletion

    /// DELETE of a tag, or of a manifest by its digest.
    func deleteManifest(_ text: Substring) async -> Answer {
        guard let reference = Reference(parsing: text) else { return .noReference(text) }
        return await deleted(reference.description, .manifestUnknown) { () throws(PushError) in
            try await hosted.delete(name, reference)
        }
    }

    func deleteBlob(_ text: Substring) async -> Answer {
        guard let digest = Digest(parsing: text) else {
            return .error(400, .digestInvalid, "the digest is not valid")
        }
        return await deleted(digest.description, .blobUnknown) { () throws(PushError) in
            try await hosted.delete(blob: digest, name)
        }
    }

    private func deleted(
        _ reference: String, _ missing: ErrorCode, _ delete: () async throws(PushError) -> Void
    ) async -> Answer {
        var answer: Answer
        do throws(PushError) {
            try await delete()
            answer = accepted(202, Answer.commonFields)
        } catch {
            answer = .failure(error, missing: missing)
        }
        answer.reference = reference
        return answer
    }

    // MARK: - Bodies

    /// Why a body could not be taken.
    struct Problem: Error {
        let answer: Answer
    }

    /// The whole body in memory, for manifests.
    private func whole(upTo bytesMax: Int) async -> Result<[UInt8], Problem> {
        let tooLarge = Problem(
            answer: .error(
                413, .sizeInvalid, "a manifest may have \(bytesMax) bytes here",
                reason: "manifest too large"))
        var bytes: [UInt8] = []
        var received = 0
        while true {
            switch await nextChunk() {
            case .failure(let problem): return .failure(problem)
            case .success(nil): return received > bytesMax ? .failure(tooLarge) : .success(bytes)
            case .success(let chunk?):
                received += chunk.count
                // Read on, so that the client is still there to be told.
                guard received <= bytesMax * 4 else { return .failure(tooLarge) }
                if received <= bytesMax { chunk.withBytes { bytes += $0 } }
            }
        }
    }

    /// The next bytes of the body, nil at its end.
    func nextChunk() async -> Result<Chunk?, Problem> {
        guard let body = request.body else { return .success(nil) }
        do {
            let chunk = try await body.next()
            if let chunk {
                received.add(chunk.count)
                hosted.received(chunk.count)
            }
            return .success(chunk)
        } catch {
            return .failure(
                Problem(
                    answer: .error(400, .blobUploadInvalid, "the body broke off or came too slowly")
                )
            )
        }
    }
}

import HTTP
import OCI
import Reactor
import Registry
import Server
import Store
import Telemetry

/// Blobs: in one request, or piece by piece (OCI "Pushing Blobs"; protocol.md §1.4).
extension Push {
    /// What a mount finds at the place that it names; see `MountSource`.
    enum Mount {
        case possible, impossible
        /// It could be had with a token that was asked for its source, too.
        case refused(Answer)
    }

    // MARK: - Beginning

    /// POST: mounts, takes the whole blob at once, or opens an upload.
    ///
    /// `source` says whether the blob can be had from where the client says it is.
    func begin(mountingFrom source: (Digest) async -> Mount) async -> Answer {
        if let text = target.first("mount") {
            guard let digest = Digest(parsing: text) else {
                return .error(400, .digestInvalid, "the digest to mount is not valid")
            }
            switch await source(digest) {
            case .possible: if let answer = await mounted(digest) { return answer }
            case .impossible: break
            case .refused(let answer): return answer
            }
        }
        var algorithm = Digest.Algorithm.sha256
        if let text = target.first("digest-algorithm") {
            guard let found = Digest.Algorithm(name: text) else {
                return .error(400, .digestInvalid, "only sha256 and sha512 are known here")
            }
            algorithm = found
        }
        guard let text = target.first("digest") else { return await open(algorithm) }
        guard let digest = Digest(parsing: text) else {
            return .error(400, .digestInvalid, "the digest is not valid")
        }
        let isEmpty = StreamingHash.digest(of: [], digest.algorithm) == digest
        guard request.head.hasBody || isEmpty else { return await open(digest.algorithm) }
        return await monolithic(digest)
    }

    private func mounted(_ digest: Digest) async -> Answer? {
        do throws(PushError) {
            try await hosted.host(digest, name)
            return created(digest)
        } catch {
            // Then it is pushed.
            return nil
        }
    }

    private func open(_ algorithm: Digest.Algorithm) async -> Answer {
        do throws(PushError) {
            let upload = try await hosted.beginUpload(name, user: user, algorithm)
            upload.giveBack()
            return progress(upload, 202)
        } catch {
            return .failure(error, missing: .blobUploadUnknown)
        }
    }

    private func monolithic(_ digest: Digest) async -> Answer {
        if let answer = await hosted.holding(digest, { await compared(digest) }) { return answer }
        do throws(PushError) {
            let upload = try await hosted.beginUpload(name, user: user, digest.algorithm)
            guard upload.take() else { throw .uploadBusy }
            if let problem = try await receive(into: upload) {
                await hosted.end(upload, .failed)
                return problem.answer
            }
            try await hosted.finish(upload, as: digest, name)
            return created(digest)
        } catch {
            return .failure(error, missing: .blobUploadUnknown)
        }
    }

    /// What is stored is not written again; but who pushes it has to have it.
    ///
    /// Nil, and nothing read, if it is not stored.
    private func compared(_ digest: Digest) async -> Answer? {
        guard hosted.isStored(digest) else { return nil }
        switch await compare(digest) {
        case .failure(let problem): return problem.answer
        case .success(false): return Self.mismatch(digest)
        case .success(true):
            if let answer = await mounted(digest) { return answer }
            return .error(503, .unavailable, "what is stored of it cannot be read; push it again")
        }
    }

    private func compare(_ digest: Digest) async -> Result<Bool, Problem> {
        let check = hosted.check(digest.algorithm)
        while true {
            switch await nextChunk() {
            case .failure(let problem): return .failure(problem)
            case .success(nil): return .success(check.digest == digest)
            case .success(let chunk?): await check.add(chunk)
            }
        }
    }

    // MARK: - An upload under way

    /// PATCH: the next chunk, or a stream of unknown length.
    func patch(_ text: Substring) async -> Answer {
        await withUpload(text) { upload async throws(PushError) in
            if let refusal = misplaced(upload) { return refusal }
            if let problem = try await receive(into: upload) { return problem.answer }
            return progress(upload, 202)
        }
    }

    /// PUT: the last chunk, if any, and the digest of all.
    func close(_ text: Substring) async -> Answer {
        guard let named = target.first("digest"), let digest = Digest(parsing: named) else {
            return .error(400, .digestInvalid, "the closing PUT needs the blob's digest")
        }
        return await withUpload(text) { upload async throws(PushError) in
            if let refusal = misplaced(upload) { return refusal }
            if let problem = try await receive(into: upload) { return problem.answer }
            try await hosted.finish(upload, as: digest, name)
            return created(digest)
        }
    }

    /// GET: how far it is.
    func status(_ text: Substring) async -> Answer {
        await withUpload(text) { upload async throws(PushError) in progress(upload, 204) }
    }

    /// DELETE: nothing of it is kept.
    func cancel(_ text: Substring) async -> Answer {
        await withUpload(text) { upload async throws(PushError) in
            await hosted.end(upload, .cancelled)
            return accepted(204, Answer.commonFields)
        }
    }

    private func withUpload(
        _ text: Substring, _ body: (Upload) async throws(PushError) -> Answer
    ) async -> Answer {
        guard let id = UploadID(parsing: text) else {
            return .failure(.uploadUnknown, missing: .blobUploadUnknown)
        }
        do throws(PushError) {
            let upload = try await hosted.takeUpload(id, name, user: user)
            defer { upload.giveBack() }
            return try await body(upload)
        } catch {
            return .failure(error, missing: .blobUploadUnknown)
        }
    }

    /// A refusal if the request's `Content-Range` does not go on where the upload is (416).
    private func misplaced(_ upload: Upload) -> Answer? {
        guard let text = request.head.headers[first: "Content-Range"] else { return nil }
        guard let range = Self.range(text) else {
            return .error(
                416, .blobUploadInvalid, "Content-Range is to be <first>-<last>, without unit")
        }
        let length = request.head.contentLength
        guard range.first == upload.written,
            length.map({ $0 == range.last - range.first + 1 }) ?? true
        else {
            var answer = Answer.error(
                416, .blobUploadInvalid,
                "the next byte of this upload is \(upload.written), and the range has to have the "
                    + "length of the body")
            add(upload, to: &answer.response.fields)
            return answer
        }
        return nil
    }

    /// `0-1023`, as the specification has it; `bytes 0-1023/*` is understood too.
    private static func range(_ text: String) -> (first: Int64, last: Int64)? {
        var text = text[...]
        if text.hasPrefix("bytes ") { text = text.dropFirst(6) }
        text = text.prefix { $0 != "/" }
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        let isDigits = parts.allSatisfy { part in
            !part.isEmpty && part.utf8.allSatisfy { (0x30...0x39).contains($0) }
        }
        guard parts.count == 2, isDigits, let first = Int64(parts[0]), let last = Int64(parts[1]),
            first <= last, last < .max
        else { return nil }
        return (first, last)
    }

    /// Adds the body to the upload; a problem with the body leaves what came before it.
    private func receive(into upload: Upload) async throws(PushError) -> Problem? {
        while true {
            switch await nextChunk() {
            case .failure(let problem): return problem
            case .success(nil): return nil
            case .success(let chunk?): try await hosted.append(chunk, to: upload)
            }
        }
    }

    // MARK: - Answers

    private func created(_ digest: Digest) -> Answer {
        var fields = Answer.commonFields
        fields.append("Location", location("blobs/\(digest)"))
        fields.append("Docker-Content-Digest", digest.description)
        var answer = accepted(201, fields)
        answer.reference = digest.description
        return answer
    }

    private func progress(_ upload: Upload, _ status: Int) -> Answer {
        var fields = Answer.commonFields
        add(upload, to: &fields)
        return accepted(status, fields)
    }

    /// Where the upload goes on.
    ///
    /// Without a byte it is `0-0` too, as clients know it.
    private func add(_ upload: Upload, to fields: inout HeaderFields) {
        fields.append("Location", location("blobs/uploads/\(upload.id)"))
        fields.append("Range", "0-\(max(0, upload.written - 1))")
        fields.append("Docker-Upload-UUID", upload.id.description)
    }

    private static func mismatch(_ digest: Digest) -> Answer {
        .error(400, .digestInvalid, "the bytes received do not have the digest \(digest)")
    }
}

import Glibc
import HTTP
import OCI
import Registry
import Server
import Telemetry

/// An answer to a pull that is given again to who asks in the same words: counted each time, and
/// only as long as rights, repositories and what was found are the same.
final class RepeatedAnswer: Repetition {
    /// What the answer came from.
    enum Source: Sendable {
        case manifest(HotManifest)
        case blobs(HotBlobs)

        /// Which blob is meant has to be seen in the head as it came.
        func isRepeatable(_ head: RequestHead) -> Bool {
            guard case .blobs = self else { return true }
            return head.bytes.withUnsafeBytes { RepeatedAnswer.digits(in: $0) } != nil
        }
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

    func again(_ part: HeadPart?) -> Body? {
        guard !isOver, let body = body(part) else { return nil }
        observation.began()
        return body
    }

    /// Rights and repositories were replaced.
    var isOver: Bool { handler.replacement != replacement }

    private func body(_ part: HeadPart?) -> Body? {
        switch source {
        case .manifest(let hot): hot.again().map { .bytes($0.bytes) }
        case .blobs(let hot):
            part.flatMap { Digest($0) }.flatMap { hot.file($0) }.map { .file($0, nil) }
        }
    }

    func finished(
        _ body: Body, _ part: HeadPart?, _ outcome: ResponseOutcome, request: () -> Request
    ) {
        observation.finished(
            outcome, of: part.flatMap { Digest($0) }?.description, request: request)
        if outcome.cut == .source, case .blobs(let hot) = source, case .file(let file, _) = body,
            let digest = part.flatMap({ Digest($0) })
        {
            hot.couldNotSend(file, of: digest)
        }
    }

    // MARK: - Requests that differ in the digest of a blob only

    private static let method: StaticString = "GET "
    private static let resource: StaticString = "/blobs/sha256:"

    /// Where the digits stand in the head of a request for a blob; nil for other requests.
    static func digits(in head: UnsafeRawBufferPointer) -> Range<Int>? {
        let start = method.utf8CodeUnitCount
        guard begins(head, with: method), let target = end(of: head[start...], " ") else {
            return nil
        }
        let end = end(of: head[start..<target], "?") ?? target
        let digits = end - HeadPart.count
        let before = digits - resource.utf8CodeUnitCount
        guard before > start,
            begins(UnsafeRawBufferPointer(rebasing: head[before...]), with: resource)
        else { return nil }
        return digits..<end
    }

    private static func begins(_ bytes: UnsafeRawBufferPointer, with text: StaticString) -> Bool {
        guard let start = bytes.baseAddress, bytes.count >= text.utf8CodeUnitCount else {
            return false
        }
        return memcmp(start, text.utf8Start, text.utf8CodeUnitCount) == 0
    }

    /// The offset of the first `mark`.
    private static func end(
        of bytes: Slice<UnsafeRawBufferPointer>, _ mark: Unicode.Scalar
    ) -> Int? {
        let rebased = UnsafeRawBufferPointer(rebasing: bytes)
        guard let start = rebased.baseAddress,
            let found = memchr(start, Int32(mark.value), rebased.count)
        else { return nil }
        return bytes.startIndex + (UnsafeRawPointer(found) - start)
    }
}

extension Digest {
    /// Nil if those are not the digits of a SHA-256.
    fileprivate init?(_ part: HeadPart) {
        guard let digest = part.withBytes({ Digest(sha256Digits: $0) }) else { return nil }
        self = digest
    }
}

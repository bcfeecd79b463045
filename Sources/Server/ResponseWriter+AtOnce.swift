import Linux
import Reactor

/// What of an answer can be sent without waiting: all of most.
extension ResponseWriter {
    /// What is left of an answer after that.
    enum Rest {
        case nothing
        /// Nothing was sent yet.
        case all(Unsent)
        /// Bytes from an offset on.
        case bytes([UInt8], from: Int)
        /// A head and a range of a complete file, from an offset in both together on.
        case file(GrowingFile, Range<Int64>, behind: [UInt8], from: Int)
    }

    /// An answer that has to be waited for.
    ///
    /// A class: what waits for a client keeps room for each copy of it.
    final class Unsent {
        typealias Instead = @Sendable () -> Response

        /// Status line and fields, but for those that are the connection's.
        let fields: [UInt8]
        let body: Body
        /// See `Response.instead`.
        let instead: Instead?

        init(fields: [UInt8], body: Body, instead: Instead?) {
            self.fields = fields
            self.body = body
            self.instead = instead
        }
    }

    /// Up to here a range of a file is copied behind its head.
    static let joinedFileBytesMax = 16 << 10
    /// Up to here a range of a file that is in memory is sent before others get their turn.
    private static let quickFileBytesMax = 256 << 10

    /// Nil, and nothing sent, if the answer has to be waited for.
    mutating func sendNow(
        _ status: Int, _ body: Body, appendFields: (inout [UInt8]) -> Void
    ) throws(Cut) -> Rest? {
        switch body {
        case .multipart, .stream: return nil
        case .file(let file, let range) where !isHead:
            return try sendNow(file, range, appendFields)
        case .bytes(let bytes) where !isHead && bytes.count > Self.joinedBytesMax: return nil
        case .headOnly(let length?) where !isHead && length > 0: return nil
        case .empty, .bytes, .headOnly, .file: break
        }
        let framing = self.framing(status, body)
        if framing == .untilClose { return nil }
        var head = startHead(framing, appendFields)
        if case .bytes(let bytes) = body, !isHead, framing != .none {
            head.append(contentsOf: bytes)
        }
        let sent = try socket.sendNow(head, more: false)
        if sent < head.count { return .bytes(head, from: sent) }
        state.giveBack(head)
        return .nothing
    }

    /// A range of a file that is complete and in memory; nil, and nothing sent, if it is not.
    private mutating func sendNow(
        _ file: GrowingFile, _ range: Range<Int64>?,
        _ appendFields: (inout [UInt8]) -> Void
    ) throws(Cut) -> Rest? {
        let progress = file.progress
        let range = range ?? 0..<progress.written
        guard progress.phase == .complete, !range.isEmpty, range.upperBound <= progress.written,
            range.count <= Self.quickFileBytesMax, !socket.isEncrypted
        else { return nil }
        let isJoined = range.count <= Self.joinedFileBytesMax
        guard isJoined || isResident(file, range) else { return nil }
        let head = startHead(.length(Int64(range.count)), appendFields)
        var sent = 0
        if isJoined {
            guard let joined = try sendTogether(head, file, range) else {
                overhead -= Int64(head.count)
                state.giveBack(head)
                return nil
            }
            sent = joined
        } else {
            sent = try socket.sendNow(head, more: true)
            if sent == head.count {
                sent += try socket.sendFileNow(file.fd, from: range.lowerBound, count: range.count)
            }
        }
        if sent < head.count + range.count {
            return .file(file, range, behind: head, from: sent)
        }
        state.giveBack(head)
        return .nothing
    }

    /// Whether sending the range will not wait for the disk; one look per 128 KiB, not repeated for
    /// a while if it is the whole file.
    private func isResident(_ file: GrowingFile, _ range: Range<Int64>) -> Bool {
        let now = state.loop.now
        if file.residency.isWhole(at: now) { return true }
        guard System.isResident(file.fd, range.lowerBound, range.upperBound) else { return false }
        if range.lowerBound == 0, range.upperBound == file.progress.total {
            file.residency.noteWhole(at: now)
        }
        return true
    }

    /// Sends the head and a small range by one call, as far as the kernel takes them at once: two
    /// copies cost less than a sendfile of its own and the packet that it makes.
    ///
    /// Gives the bytes sent; nil, and nothing sent, if the range would have to come from the disk.
    private func sendTogether(
        _ head: [UInt8], _ file: GrowingFile, _ range: Range<Int64>
    ) throws(Cut) -> Int? {
        let count = head.count + range.count
        let joint = state.joint
        guard count <= joint.count else { return nil }
        head.withUnsafeBytes { joint.copyMemory(from: $0) }
        let read = try? System.readResident(
            file.fd, UnsafeMutableRawBufferPointer(rebasing: joint[head.count..<count]),
            at: range.lowerBound)
        guard read == .bytes(range.count) else { return nil }
        return try socket.sendNow(UnsafeRawBufferPointer(rebasing: joint[..<count]))
    }

    /// Sends what the kernel did not take of a head and a file behind it.
    ///
    /// What was put together is not kept, so that slow readers cost no memory.
    mutating func send(
        _ file: GrowingFile, _ range: Range<Int64>, behind head: consuming [UInt8], from sent: Int
    ) async throws(Cut) {
        begin(file)
        defer { end(file) }
        if sent < head.count { try await socket.send(head, from: sent, more: true) }
        let position = range.lowerBound + Int64(max(0, sent - head.count))
        state.giveBack(head)
        guard position < range.upperBound else { return }
        var sender = FileSender(file, to: socket, in: state)
        try await sender.sendAvailable(position..<range.upperBound)
    }
}

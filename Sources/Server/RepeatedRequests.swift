import Glibc
import HTTP

/// Requests of a loop whose very bytes came before, and what was answered to them.
///
/// Clients of one kind ask for one thing in the same words, a fleet of them at the same time. Such
/// a request is recognised by comparing its bytes, and is neither parsed nor routed again; whether
/// its answer still holds is asked each time (`Repetition`).
///
/// Bounded in entries and bytes; not Sendable: it lives on its loop.
final class RepeatedRequests {
    /// One request's head and the head of its answer.
    final class Entry {
        fileprivate let hash: UInt64
        let head: RequestHead
        fileprivate let listener: Listener
        /// Status line and fields, but for those that are the connection's.
        let answerHead: [UInt8]
        let status: Int
        let repetition: any Repetition

        fileprivate init(
            _ hash: UInt64, _ head: RequestHead, _ listener: Listener, _ response: Response,
            _ repetition: any Repetition
        ) {
            self.hash = hash
            self.head = head
            self.listener = listener
            self.repetition = repetition
            status = response.status
            var bytes: [UInt8] = []
            ResponseHead(
                status: response.status, reason: response.reason, fields: response.fields
            ).serialize(into: &bytes)
            // The empty line comes behind the connection's own fields.
            bytes.removeLast(2)
            answerHead = bytes
        }

        fileprivate var bytes: Int { 2 * head.bytes.count + answerHead.count + 256 }
    }

    /// Longer heads carry logins or come from clients that are not repeated.
    static let headBytesMax = 2 << 10
    /// What is remembered lies in one of the few places that its hash allows, or nowhere.
    private static let setsCount = 2048
    private static let placesPerSet = 4
    private static let bytesMax = 8 << 20

    private var places: [Entry?]
    /// Their hashes, 0 where nothing is: apart, so that only what is meant is fetched from memory.
    private var hashes: [UInt64]
    /// Hashes of what was seen once: only what comes again is worth the memory.
    private var seen: [UInt64]
    private var bytes = 0
    /// Whose place of a full set is taken next.
    private var turn = 0

    init() {
        places = Array(repeating: nil, count: Self.setsCount * Self.placesPerSet)
        hashes = Array(repeating: 0, count: Self.setsCount * Self.placesPerSet)
        seen = Array(repeating: 0, count: Self.setsCount * Self.placesPerSet)
    }

    /// The request that `bytes` are the head of, if it was remembered on that listener.
    func find(_ bytes: UnsafeRawBufferPointer, on listener: Listener) -> Entry? {
        guard bytes.count <= Self.headBytesMax else { return nil }
        let hash = Self.hash(bytes)
        guard let place = place(of: hash, on: listener), let entry = places[place],
            entry.head.bytes.count == bytes.count
        else { return nil }
        let isSame = entry.head.bytes.withUnsafeBytes { head in
            guard let one = head.baseAddress, let other = bytes.baseAddress else { return false }
            return memcmp(one, other, bytes.count) == 0
        }
        return isSame ? entry : nil
    }

    private func place(of hash: UInt64, on listener: Listener) -> Int? {
        Self.set(hash).first { hashes[$0] == hash && places[$0]?.listener === listener }
    }

    /// Remembers an answer, when its request has come for the second time.
    func learn(_ head: RequestHead, on listener: Listener, _ response: Response) {
        guard let repetition = response.repetition, !head.hasBody, !head.bytes.isEmpty,
            head.bytes.count <= Self.headBytesMax
        else { return }
        let hash = head.bytes.withUnsafeBytes { Self.hash($0) }
        let sight = Int(truncatingIfNeeded: hash >> 16) & (seen.count - 1)
        guard seen[sight] == hash else {
            seen[sight] = hash
            return
        }
        let entry = Entry(hash, head, listener, response, repetition)
        if bytes + entry.bytes > Self.bytesMax { forget() }
        let set = Self.set(hash)
        turn &+= 1
        let place =
            place(of: hash, on: listener) ?? set.first { places[$0] == nil }
            ?? set.lowerBound + turn & (Self.placesPerSet - 1)
        bytes += entry.bytes - (places[place]?.bytes ?? 0)
        places[place] = entry
        hashes[place] = hash
    }

    /// The answer of `entry` does not hold any more.
    func forget(_ entry: Entry) {
        guard let place = Self.set(entry.hash).first(where: { places[$0] === entry }) else {
            return
        }
        bytes -= entry.bytes
        places[place] = nil
        hashes[place] = 0
    }

    /// Forgets everything: nothing is answered any more, or too much is remembered.
    func forget() {
        for place in places.indices {
            places[place] = nil
            hashes[place] = 0
        }
        bytes = 0
    }

    /// The places that something of that hash may have; both counts are powers of two.
    private static func set(_ hash: UInt64) -> Range<Int> {
        let set = Int(truncatingIfNeeded: hash >> 32) & (setsCount - 1)
        return set * placesPerSet..<(set + 1) * placesPerSet
    }

    /// Eight bytes at a time; who finds two heads of one hash only makes them compared in vain.
    private static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var hash = UInt64(truncatingIfNeeded: bytes.count) &* 0x9e37_79b9_7f4a_7c15
        var offset = 0
        while offset + 8 <= bytes.count {
            hash = mixed(hash, bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            offset += 8
        }
        var rest: UInt64 = 0
        while offset < bytes.count {
            rest = rest << 8 | UInt64(bytes[offset])
            offset += 1
        }
        // Zero stands for nothing seen.
        return mixed(hash, rest) | 1
    }

    private static func mixed(_ hash: UInt64, _ word: UInt64) -> UInt64 {
        let (high, low) = (hash ^ word).multipliedFullWidth(by: 0xd6e8_feb8_6659_fd93)
        return high ^ low &+ hash
    }
}

import Glibc
import HTTP

/// Requests of a loop whose very bytes came before, and what was answered to them.
///
/// Clients of one kind ask for one thing in the same words, a fleet of them at the same time, and
/// for many blobs in words that differ in the digest only. Such a request is recognised by
/// comparing its bytes, and is neither parsed nor routed again; whether its answer still holds is
/// asked each time (`Repetition`).
///
/// Bounded in entries and bytes; not Sendable: it lives on its loop.
final class RepeatedRequests {
    /// One request's head and the head of its answer.
    final class Entry {
        fileprivate let hash: UInt64
        let head: RequestHead
        fileprivate let listener: Listener
        /// Where other requests may have other bytes.
        fileprivate let part: Range<Int>?
        /// Status line and fields, but for those that are the connection's.
        private let answerHead: [UInt8]
        /// Where they repeat that part of the request.
        private let partsOfAnswer: [Int]
        let status: Int
        let repetition: any Repetition

        fileprivate init(
            _ hash: UInt64, _ head: RequestHead, _ part: Range<Int>?, _ listener: Listener,
            _ response: Response, _ repetition: any Repetition
        ) {
            self.hash = hash
            self.head = head
            self.part = part
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
            partsOfAnswer = part.map { Self.places(of: head.bytes[$0], in: bytes) } ?? []
        }

        private static func places(of part: ArraySlice<UInt8>, in bytes: [UInt8]) -> [Int] {
            guard bytes.count >= part.count else { return [] }
            return (0...bytes.count - part.count).filter {
                bytes[$0..<$0 + part.count].elementsEqual(part)
            }
        }

        /// Appends status line and fields as they are for a request with that part.
        func appendAnswerHead(_ part: HeadPart?, to output: inout [UInt8]) {
            let start = output.count
            output.append(contentsOf: answerHead)
            guard let part else { return }
            output.withUnsafeMutableBytes { output in
                for place in partsOfAnswer {
                    part.withBytes {
                        UnsafeMutableRawBufferPointer(rebasing: output[(start + place)...])
                            .copyMemory(from: $0)
                    }
                }
            }
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

    /// The request that `bytes` are the head of, if it or one that differs in `part` only was
    /// remembered on that listener.
    func find(
        _ bytes: UnsafeRawBufferPointer, _ part: Range<Int>?, on listener: Listener
    ) -> Entry? {
        guard bytes.count <= Self.headBytesMax else { return nil }
        let hash = Self.hash(bytes, without: part)
        guard let place = place(of: hash, on: listener), let entry = places[place],
            entry.head.bytes.count == bytes.count, entry.part == part
        else { return nil }
        let isSame = entry.head.bytes.withUnsafeBytes { head in
            guard let part else { return Self.areSame(head[...], bytes[...]) }
            return Self.areSame(head[..<part.lowerBound], bytes[..<part.lowerBound])
                && Self.areSame(head[part.upperBound...], bytes[part.upperBound...])
        }
        return isSame ? entry : nil
    }

    private static func areSame(
        _ one: Slice<UnsafeRawBufferPointer>, _ other: Slice<UnsafeRawBufferPointer>
    ) -> Bool {
        let one = UnsafeRawBufferPointer(rebasing: one)
        let other = UnsafeRawBufferPointer(rebasing: other)
        guard one.count == other.count else { return false }
        guard let oneStart = one.baseAddress, let otherStart = other.baseAddress else {
            return true
        }
        return memcmp(oneStart, otherStart, one.count) == 0
    }

    private func place(of hash: UInt64, on listener: Listener) -> Int? {
        Self.set(hash).first { hashes[$0] == hash && places[$0]?.listener === listener }
    }

    /// Remembers an answer, when its request has come for the second time.
    func learn(
        _ head: RequestHead, _ part: Range<Int>?, on listener: Listener, _ response: Response
    ) {
        guard let repetition = response.repetition, !head.hasBody, !head.bytes.isEmpty,
            head.bytes.count <= Self.headBytesMax
        else { return }
        // Another of its kind, whose answer had to be worked out, tells nothing new.
        let known = head.bytes.withUnsafeBytes { part == nil ? nil : find($0, part, on: listener) }
        if let known, !known.repetition.isOver { return }
        let hash = head.bytes.withUnsafeBytes { Self.hash($0, without: part) }
        let sight = Int(truncatingIfNeeded: hash >> 16) & (seen.count - 1)
        guard seen[sight] == hash else {
            seen[sight] = hash
            return
        }
        let entry = Entry(hash, head, part, listener, response, repetition)
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

    /// Who finds two heads of one hash only makes them compared in vain.
    private static func hash(
        _ bytes: UnsafeRawBufferPointer, without part: Range<Int>?
    ) -> UInt64 {
        let seed = UInt64(truncatingIfNeeded: bytes.count) &* 0x9e37_79b9_7f4a_7c15
        // Zero stands for nothing seen.
        guard let part else { return hash(bytes[...], seed) | 1 }
        return hash(bytes[part.upperBound...], hash(bytes[..<part.lowerBound], seed)) | 1
    }

    /// Eight bytes at a time.
    private static func hash(_ bytes: Slice<UnsafeRawBufferPointer>, _ seed: UInt64) -> UInt64 {
        let bytes = UnsafeRawBufferPointer(rebasing: bytes)
        var hash = seed
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
        return mixed(hash, rest)
    }

    private static func mixed(_ hash: UInt64, _ word: UInt64) -> UInt64 {
        let (high, low) = (hash ^ word).multipliedFullWidth(by: 0xd6e8_feb8_6659_fd93)
        return high ^ low &+ hash
    }
}

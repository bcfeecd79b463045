/// The name of content by what it is: an algorithm and the hash of the bytes.
///
/// A digest can only exist parsed (INT-7): text that is not exactly `sha256:` and 64 or `sha512:`
/// and 128 lower-case hexadecimal digits makes none, so nobody downstream validates again, and a
/// path is made from `bytes` or `hex`, never from what a client sent. The hash lies inline:
/// copying, hashing and comparing a digest never touches the heap.
package struct Digest: Sendable {
    /// The hash functions Cistern can compute, which are those it can vouch for.
    package enum Algorithm: UInt8, Sendable, CaseIterable {
        case sha256 = 0
        case sha512 = 1

        /// The length of the raw hash.
        package var byteCount: Int {
            switch self {
            case .sha256: 32
            case .sha512: 64
            }
        }

        /// The name as written in front of the colon.
        package var name: String {
            switch self {
            case .sha256: "sha256"
            case .sha512: "sha512"
            }
        }

        /// Finds the algorithm of a given name; names are lower-case, as in the OCI grammar.
        package init?(name: some StringProtocol) {
            guard let found = Self.allCases.first(where: { name == $0.name }) else { return nil }
            self = found
        }
    }

    /// The longest text of a digest: `sha512:` and 128 digits.
    package static let textBytesMax = 7 + 128

    package let algorithm: Algorithm
    /// The hash in memory order, zero beyond `algorithm.byteCount`.
    private let words: InlineArray<8, UInt64>

    /// Parses `algorithm:hex`; `nil` for anything else, upper-case digits included.
    package init?(parsing text: some StringProtocol) {
        let parsed = text.utf8.withContiguousStorageIfAvailable {
            Self(utf8: Span(_unsafeElements: $0))
        }
        if let parsed {
            guard let digest = parsed else { return nil }
            self = digest
        } else {
            // Too long to be a digest: refused before it is copied.
            guard text.utf8.count <= Self.textBytesMax else { return nil }
            guard let digest = Self(utf8: Array(text.utf8).span) else { return nil }
            self = digest
        }
    }

    /// Takes a raw hash, as computed or as kept in the index; `nil` if its length is not the
    /// algorithm's.
    package init?(_ algorithm: Algorithm, bytes: some Collection<UInt8>) {
        guard bytes.count == algorithm.byteCount else { return nil }
        self.init(
            algorithm,
            filling: { target in
                var index = 0
                for byte in bytes where index < target.count {
                    target[index] = byte
                    index += 1
                }
            })
    }

    private init?(utf8 text: Span<UInt8>) {
        guard let algorithm = Self.algorithm(in: text) else { return nil }
        let start = algorithm.name.utf8.count + 1
        guard text.count == start + 2 * algorithm.byteCount else { return nil }
        var valid = true
        self.init(
            algorithm,
            filling: { target in
                for index in 0..<algorithm.byteCount {
                    let high = Hex.value(text[start + 2 * index])
                    let low = Hex.value(text[start + 2 * index + 1])
                    valid = valid && high < 16 && low < 16
                    target[index] = (high << 4) | (low & 15)
                }
            })
        guard valid else { return nil }
    }

    /// Parses the 64 digits of a SHA-256; `nil` for anything else.
    package init?(sha256Digits digits: UnsafeRawBufferPointer) {
        guard digits.count == 2 * Algorithm.sha256.byteCount else { return nil }
        var wrong: UInt8 = 0
        self.init(
            .sha256,
            filling: { target in
                for index in 0..<Algorithm.sha256.byteCount {
                    let high = Hex.value(digits[2 * index])
                    let low = Hex.value(digits[2 * index + 1])
                    wrong |= high | low
                    target[index] = (high << 4) | (low & 15)
                }
            })
        guard wrong < 16 else { return nil }
    }

    private init(_ algorithm: Algorithm, filling fill: (UnsafeMutableRawBufferPointer) -> Void) {
        var words = InlineArray<8, UInt64>(repeating: 0)
        withUnsafeMutableBytes(of: &words) { fill($0) }
        self.algorithm = algorithm
        self.words = words
    }

    private static func algorithm(in text: Span<UInt8>) -> Algorithm? {
        // "sha256:" and "sha512:" are equally long; any other prefix is another algorithm or none.
        guard text.count > 7 else { return nil }
        for candidate in Algorithm.allCases {
            var matches = true
            var index = 0
            for byte in candidate.name.utf8 {
                matches = matches && text[index] == byte
                index += 1
            }
            if matches, text[index] == UInt8(ascii: ":") { return candidate }
        }
        return nil
    }

    /// Lends the raw hash without copying it; its length is `algorithm.byteCount`.
    package func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try withUnsafeBytes(of: words) { raw in
            try body(UnsafeRawBufferPointer(rebasing: raw[0..<algorithm.byteCount]))
        }
    }

    /// The raw hash.
    package var bytes: [UInt8] {
        withBytes { Array($0) }
    }

    /// The hash in lower-case hexadecimal digits, without the algorithm.
    package var hex: String { text(behind: "") }

    /// The path of what has this digest, below a directory for the first byte of the hash:
    /// `sha256/ab/ab…`.
    package func path(behind prefix: StaticString) -> String {
        withBytes { raw in
            String(unsafeUninitializedCapacity: prefix.utf8CodeUnitCount + 11 + 2 * raw.count) {
                var target = TextTarget($0)
                target.append(prefix)
                target.append(algorithm == .sha256 ? "sha256/" : "sha512/")
                target.append(hexOf: UnsafeRawBufferPointer(rebasing: raw[..<1]))
                target.append("/")
                target.append(hexOf: raw)
                return target.count
            }
        }
    }

    /// The hash in hexadecimal digits behind `prefix`.
    private func text(behind prefix: StaticString) -> String {
        withBytes { raw in
            String(unsafeUninitializedCapacity: prefix.utf8CodeUnitCount + 2 * raw.count) {
                var target = TextTarget($0)
                target.append(prefix)
                target.append(hexOf: raw)
                return target.count
            }
        }
    }

    /// Where a text is being put together, which has room for all of it.
    private struct TextTarget {
        private let bytes: UnsafeMutableBufferPointer<UInt8>
        private(set) var count = 0

        init(_ bytes: UnsafeMutableBufferPointer<UInt8>) { self.bytes = bytes }

        mutating func append(_ text: StaticString) {
            for index in 0..<text.utf8CodeUnitCount {
                bytes[count + index] = text.utf8Start[index]
            }
            count += text.utf8CodeUnitCount
        }

        mutating func append(hexOf raw: UnsafeRawBufferPointer) {
            for byte in raw {
                bytes[count] = Hex.digit(byte >> 4)
                bytes[count + 1] = Hex.digit(byte & 15)
                count += 2
            }
        }
    }

    /// The tag under which registries without the referrers API keep what refers to this digest.
    ///
    /// Algorithm cut at 32 and encoded part at 64 characters (distribution-spec, "Referrers Tag
    /// Schema").
    package var referrersTag: Tag {
        Tag(trusted: "\(algorithm.name)-\(hex.prefix(64))")
    }
}

extension Digest: Hashable {
    package static func == (left: Digest, right: Digest) -> Bool {
        guard left.algorithm == right.algorithm else { return false }
        var difference: UInt64 = 0
        for index in 0..<8 { difference |= left.words[index] ^ right.words[index] }
        return difference == 0
    }

    package func hash(into hasher: inout Hasher) {
        // All of it, since clients choose digests: the first word alone would let them choose
        // buckets.
        withBytes { hasher.combine(bytes: $0) }
    }
}

extension Digest: Comparable {
    /// Orders as the texts would.
    package static func < (left: Digest, right: Digest) -> Bool {
        guard left.algorithm == right.algorithm else {
            return left.algorithm.rawValue < right.algorithm.rawValue
        }
        for index in 0..<8 where left.words[index] != right.words[index] {
            return left.words[index].bigEndian < right.words[index].bigEndian
        }
        return false
    }
}

extension Digest: CustomStringConvertible {
    package var description: String {
        switch algorithm {
        case .sha256: text(behind: "sha256:")
        case .sha512: text(behind: "sha512:")
        }
    }
}

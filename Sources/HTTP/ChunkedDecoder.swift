/// Takes the chunked transfer coding off a body (RFC 9112 §7.1; HTTP-1, HTTP-2).
///
/// Feed it what has come, use the slice of body it names, drop what it consumed, and feed it again
/// until it is finished or wants more. Extensions and trailers are read, bounded and thrown away.
package struct ChunkedDecoder: Sendable {
    /// The most digits of a chunk's size.
    package static let sizeDigitsMax = 16
    /// The longest extension of one chunk (HTTP-2).
    package static let extensionBytesMax = 64
    /// The longest extensions of one body together (HTTP-2).
    package static let extensionBytesTotalMax = 1 << 10
    /// The longest trailers (HTTP-2).
    package static let trailerBytesMax = 8 << 10

    /// What one call found.
    package struct Step: Equatable, Sendable {
        /// Where the body bytes lie in what was fed; empty if there were none.
        package let body: Range<Int>
        /// How many bytes of what was fed are done with, body included.
        package let consumed: Int
    }

    private enum State {
        case size(digits: Int, value: UInt64)
        case `extension`(size: UInt64, count: Int)
        case sizeFeed(size: UInt64)
        case data(left: UInt64)
        case dataReturn
        case dataFeed
        /// At the start of a trailer line, or of the empty line that ends the body.
        case trailerStart
        case trailerName
        case trailerValue
        case trailerFeed
        case lastFeed
        case finished
    }

    private var state = State.size(digits: 0, value: 0)
    private var extensionBytes = 0
    private var trailerBytes = 0
    /// How many bytes of body have been named so far.
    package private(set) var bodyBytes: Int64 = 0

    package init() {}

    /// Whether the whole body, the last empty line included, has been consumed.
    package var isFinished: Bool {
        if case .finished = state { true } else { false }
    }

    /// Consumes framing up to and including the next slice of body.
    ///
    /// A step that consumes nothing wants more bytes, or is finished.
    package mutating func decode(
        _ bytes: UnsafeRawBufferPointer
    ) throws(RequestError) -> Step {
        let span = Span<UInt8>(_unsafeElements: bytes.bindMemory(to: UInt8.self))
        var index = 0
        while index < span.count {
            switch state {
            case .finished:
                return Step(body: index..<index, consumed: index)
            case .data(let left):
                let count = Int(clamping: min(left, UInt64(span.count - index)))
                let rest = left - UInt64(count)
                state = rest == 0 ? .dataReturn : .data(left: rest)
                bodyBytes += Int64(count)
                return Step(body: index..<(index + count), consumed: index + count)
            default:
                try advance(span[index])
                index += 1
            }
        }
        return Step(body: index..<index, consumed: index)
    }

    /// Moves on by one byte of framing.
    private mutating func advance(_ byte: UInt8) throws(RequestError) {
        switch state {
        case .size(let digits, let value):
            try size(byte, digits: digits, value: value)
        case .extension(let size, let count):
            try extend(byte, size: size, count: count)
        case .sizeFeed(let size):
            try expect(byte, UInt8(ascii: "\n"), .badChunk)
            state = size == 0 ? .trailerStart : .data(left: size)
        case .dataReturn:
            try expect(byte, UInt8(ascii: "\r"), .badChunk)
            state = .dataFeed
        case .dataFeed:
            try expect(byte, UInt8(ascii: "\n"), .badChunk)
            state = .size(digits: 0, value: 0)
        case .trailerStart, .trailerName, .trailerValue, .trailerFeed, .lastFeed:
            try trailer(byte)
        case .data, .finished:
            break
        }
    }

    private mutating func size(
        _ byte: UInt8, digits: Int, value: UInt64
    ) throws(RequestError) {
        let digit = Bytes.hexValue(byte)
        if digit < 16 {
            guard digits < Self.sizeDigitsMax else { throw .badChunk }
            state = .size(digits: digits + 1, value: value << 4 | UInt64(digit))
            return
        }
        // The sum of all chunks has to fit the 64 bits that count the body.
        guard digits > 0, let signed = Int64(exactly: value),
            !bodyBytes.addingReportingOverflow(signed).overflow
        else { throw .badChunk }
        switch byte {
        case UInt8(ascii: "\r"): state = .sizeFeed(size: value)
        case UInt8(ascii: ";"): state = .extension(size: value, count: 1)
        default: throw .badChunk
        }
    }

    private mutating func extend(
        _ byte: UInt8, size: UInt64, count: Int
    ) throws(RequestError) {
        if byte == UInt8(ascii: "\r") {
            extensionBytes += count
            guard extensionBytes <= Self.extensionBytesTotalMax else {
                throw .chunkExtensionTooLong
            }
            state = .sizeFeed(size: size)
            return
        }
        guard !Bytes.isControl(byte) else { throw .badChunk }
        guard count < Self.extensionBytesMax else { throw .chunkExtensionTooLong }
        state = .extension(size: size, count: count + 1)
    }

    private mutating func trailer(_ byte: UInt8) throws(RequestError) {
        trailerBytes += 1
        guard trailerBytes <= Self.trailerBytesMax else { throw .trailersTooLarge }
        switch state {
        case .trailerStart where byte == UInt8(ascii: "\r"):
            state = .lastFeed
        case .trailerStart:
            guard Bytes.isToken(byte) else { throw .badTrailer }
            state = .trailerName
        case .trailerName where byte == UInt8(ascii: ":"):
            state = .trailerValue
        case .trailerName:
            guard Bytes.isToken(byte) else { throw .badTrailer }
        case .trailerValue where byte == UInt8(ascii: "\r"):
            state = .trailerFeed
        case .trailerValue:
            guard !Bytes.isControl(byte) else { throw .badTrailer }
        case .trailerFeed:
            try expect(byte, UInt8(ascii: "\n"), .badTrailer)
            state = .trailerStart
        default:
            try expect(byte, UInt8(ascii: "\n"), .badTrailer)
            state = .finished
        }
    }

    private func expect(
        _ byte: UInt8, _ wanted: UInt8, _ error: RequestError
    ) throws(RequestError) {
        guard byte == wanted else { throw error }
    }
}

/// The framing of a `multipart/byteranges` body (RFC 9110 §14.6): everything of it but the content.
package struct MultipartByteRanges: Sendable {
    package let ranges: [Range<Int64>]
    package let total: Int64
    /// The media type of the content itself.
    package let partType: String
    private let boundary: String

    /// - Parameters:
    ///   - ranges: The parts in the order they are sent.
    ///   - total: The length of the whole content.
    ///   - partType: The media type of the content.
    ///   - seed: Makes the boundary; the content should not be able to guess it.
    package init(_ ranges: [Range<Int64>], total: Int64, partType: String, seed: UInt64) {
        self.ranges = ranges
        self.total = total
        self.partType = partType
        let digits = String(seed, radix: 16)
        boundary = "cistern-" + String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// The Content-Type of the answer.
    package var contentType: String { "multipart/byteranges; boundary=\(boundary)" }

    /// What is sent before the content of part `index`.
    package func header(of index: Int) -> [UInt8] {
        let range = ContentRange(ranges[index], total: total)
        let text = """
            \r\n--\(boundary)\r
            Content-Type: \(partType)\r
            Content-Range: \(range)\r
            \r\n
            """
        // The first delimiter needs no line end in front: there is nothing to end.
        return Array(index == 0 ? text.utf8.dropFirst(2) : text.utf8[...])
    }

    /// What is sent after the last part.
    package var trailer: [UInt8] { Array("\r\n--\(boundary)--\r\n".utf8) }

    /// The Content-Length of the answer; `nil` if it does not fit 64 bits.
    package var length: Int64? {
        var sum = Int64(trailer.count)
        for (index, range) in ranges.enumerated() {
            for part in [Int64(header(of: index).count), range.upperBound - range.lowerBound] {
                let (next, overflow) = sum.addingReportingOverflow(part)
                guard !overflow else { return nil }
                sum = next
            }
        }
        return sum
    }
}

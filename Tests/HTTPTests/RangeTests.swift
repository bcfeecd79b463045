import TestSupport
import Testing

@testable import HTTP

/// HTTP-7 and the conformance cases of protocol.md §1.3.
struct RangeTests {
    @Test(
        arguments: [
            (nil, .whole), ("bytes=500-1499", .single(500..<1500)),
            ("bytes=500-", .single(500..<2048)),
            ("bytes=-500", .single(1548..<2048)), ("bytes=2000-5000", .single(2000..<2048)),
            ("bytes=500-0", .unsatisfiable), ("bytes=5000-10000", .unsatisfiable),
            ("bytes=2048-", .unsatisfiable), ("bytes=2047-", .single(2047..<2048)),
            ("bytes=0-", .single(0..<2048)), ("bytes=0-0", .single(0..<1)),
            ("bytes=-0", .unsatisfiable), ("bytes=-5000", .single(0..<2048)),
            ("BYTES = 0-1", .single(0..<2)), ("bytes= 0-1 ", .single(0..<2)),
            ("bytes=,0-1,", .single(0..<2)),
            // CVE-2022-31005, CVE-2017-7529: numbers at and beyond the end of 64 bits.
            ("bytes=0-9223372036854775807", .single(0..<2048)),
            ("bytes=0-99999999999999999999999", .single(0..<2048)),
            ("bytes=9223372036854775807-", .unsatisfiable),
            ("bytes=99999999999999999999999-", .unsatisfiable),
            ("bytes=-9223372036854775808", .single(0..<2048)),
            ("bytes=18446744073709551615-18446744073709551616", .unsatisfiable),
            // Malformed or of another unit: ignored.
            ("", .whole), ("bytes", .whole), ("bytes=", .whole), ("bytes=,", .whole),
            ("bytes=-", .whole),
            ("bytes=a-b", .whole), ("bytes=1", .whole), ("bytes=1-2-3", .whole),
            ("bytes=--1", .whole),
            ("bytes=+1-2", .whole), ("bytes=0x1-2", .whole), ("bytes=1 -2", .whole),
            ("items=0-1", .whole),
            ("bytes:0-1", .whole), ("bytes=0-1;2-3", .whole), ("bytes=٣-٤", .whole),
            // Several.
            ("bytes=0-0,-1", .multiple([0..<1, 2047..<2048])), ("bytes=0-0, 5000-", .single(0..<1)),
            ("bytes=0-9,10-19", .multiple([0..<10, 10..<20])),
            ("bytes=5000-,6000-", .unsatisfiable),
            // Overlapping or out of order: CVE-2011-3192.
            ("bytes=0-,0-,0-", .whole), ("bytes=10-19,0-9", .whole), ("bytes=0-10,10-20", .whole),
            ("bytes=-1,-1", .whole),
        ] as [(String?, RangeSet)])
    func rangeOfTwoKibibytes(header: String?, expected: RangeSet) {
        #expect(RangeSet(header, size: 2048) == expected)
    }

    @Test(
        arguments: [
            ("bytes=0-", .whole), ("bytes=-5", .whole), (nil, .whole),
            ("bytes=0-0", .unsatisfiable),
            ("bytes=1-", .unsatisfiable), ("bytes=-0", .unsatisfiable),
        ] as [(String?, RangeSet)])
    func rangeOfNothing(header: String?, expected: RangeSet) {
        // containerd 2.1.0 to 2.1.2 sends `bytes=0-` with every request.
        #expect(RangeSet(header, size: 0) == expected)
    }

    @Test func thousandRangesAreServedAndMoreAreNot() {
        let header = { (count: Int) in
            "bytes=" + (0..<count).map { "\($0 * 10)-\($0 * 10 + 4)" }.joined(separator: ",")
        }
        guard case .multiple(let ranges) = RangeSet(header(1024), size: 1 << 20) else {
            Issue.record("not several")
            return
        }
        #expect(ranges.count == 1024)
        #expect(RangeSet(header(1025), size: 1 << 20) == .whole)
        #expect(RangeSet(header(2), size: 1 << 20, rangesMax: 1) == .whole)
        #expect(RangeSet(header(1), size: 1 << 20, rangesMax: 1) == .single(0..<5))
    }

    @Test func resolvedRangesAlwaysLieInside() {
        let seed = SeededGenerator.seedOfThisRun()
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<2000 {
            let numbers = [
                0, 1, 2, 10, Int64.max - 1, .max, Int64.random(in: 0...100, using: &generator),
            ]
            let first = numbers.randomElement(using: &generator) ?? 0
            let last = numbers.randomElement(using: &generator) ?? 0
            let size = numbers.randomElement(using: &generator) ?? 0
            for range in [ByteRange.from(first), .bounded(first, last), .suffix(first)] {
                guard let resolved = range.resolved(size: size) else { continue }
                #expect(!resolved.isEmpty && resolved.lowerBound >= 0, "seed \(seed)")
                #expect(resolved.upperBound <= size, "seed \(seed)")
            }
        }
    }

    @Test(
        arguments: [
            ("bytes 0-99/200", 0...99, 200), ("bytes 5-5/*", 5...5, nil), ("bytes */200", nil, 200),
            ("BYTES 0-0/1", 0...0, 1),
        ] as [(String, ClosedRange<Int64>?, Int64?)])
    func contentRangeIsReadAndWritten(
        text: String, bounds: ClosedRange<Int64>?, total: Int64?
    ) throws {
        let range = try #require(ContentRange(parsing: text))
        #expect(range.bounds == bounds)
        #expect(range.total == total)
        #expect(range.description == text.replacing("BYTES", with: "bytes"))
    }

    @Test(arguments: [
        "", "bytes", "bytes 0-99", "bytes 0-99/", "bytes 5-4/9", "bytes 0-9/9", "bytes */*",
        "bytes -5/9",
        "bytes 0-/9", "items 0-1/2", "bytes 0-99999999999999999999/*", "bytes 0-1/2/3",
        "bytes +0-1/2",
        "bytes 0-9223372036854775807/*",
    ])
    func malformedContentRangesAreNone(text: String) {
        #expect(ContentRange(parsing: text) == nil)
    }

    @Test func multipartIsAsLongAsItSays() {
        let parts = MultipartByteRanges(
            [0..<5, 10..<12], total: 20, partType: "application/octet-stream", seed: 7)
        var body: [UInt8] = []
        for (index, range) in parts.ranges.enumerated() {
            body += parts.header(of: index)
            body += [UInt8](repeating: 0x61, count: Int(range.count))
        }
        body += parts.trailer
        #expect(Int64(body.count) == parts.length)
        let boundary = "cistern-0000000000000007"
        #expect(parts.contentType == "multipart/byteranges; boundary=\(boundary)")
        #expect(
            String(decoding: body, as: UTF8.self)
                == "--\(boundary)\r\nContent-Type: application/octet-stream\r\n"
                + "Content-Range: bytes 0-4/20\r\n\r\naaaaa"
                + "\r\n--\(boundary)\r\nContent-Type: application/octet-stream\r\n"
                + "Content-Range: bytes 10-11/20\r\n\r\naa\r\n--\(boundary)--\r\n")
    }
}

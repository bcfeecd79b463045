import TestSupport
import Testing

@testable import OCI

/// SWIFT-1, SWIFT-2: a bounded reader that no bytes can make trap.
struct JSONTests {
    private func parse(_ text: String, limits: JSONLimits = JSONLimits()) throws(JSONError)
        -> JSONValue
    {
        try JSONValue.parse(Array(text.utf8), limits: limits)
    }

    @Test(arguments: [
        ("null", JSONValue.null), (" true ", .bool(true)), ("false", .bool(false)),
        ("0", .number("0")), ("-12.5e+3", .number("-12.5e+3")), ("\"\"", .string("")),
        ("[]", .array([])), ("{}", .object([])),
        ("[1, [2]]", .array([.number("1"), .array([.number("2")])])),
        (#"{"a":"b"}"#, .object([JSONMember(key: "a", value: .string("b"))])),
        (#""\"\\\/\b\f\n\r\t""#, .string("\"\\/\u{8}\u{c}\n\r\t")),
        (#""\u0041\u00e9\ud83d\ude00""#, .string("Aé😀")),
        // As Go does: what stands for no character becomes the replacement character.
        (#""\ud83d""#, .string("\u{fffd}")), (#""\ude00x""#, .string("\u{fffd}x")),
        (#""\ud83d\u0041""#, .string("\u{fffd}A")),
    ])
    func documentsOfTheGrammarAreRead(text: String, expected: JSONValue) throws {
        #expect(try parse(text) == expected)
    }

    @Test(arguments: [
        "", " ", "nul", "nulll", "True", "01", "-", "+1", "1.", ".5", "1e", "0x1", "NaN",
        "Infinity",
        "\"", "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\n\"", "[", "]", "[1", "[1,]",
        "[,]",
        "[1 2]", "{", "{]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{1:2}", "1 2", "{}{}",
        "\u{feff}{}", "'a'", "/**/1", "<html></html>",
    ])
    func otherDocumentsAreRefused(text: String) {
        #expect(throws: JSONError.self) { try parse(text) }
    }

    @Test func limitsHoldExactly() throws {
        var limits = JSONLimits()
        let deep = { String(repeating: "[", count: $0) + String(repeating: "]", count: $0) }
        #expect(throws: Never.self) { try parse(deep(64)) }
        #expect(throws: JSONError.tooDeep) { try parse(deep(65)) }
        #expect(throws: JSONError.tooDeep) { try parse(String(repeating: "[", count: 1_000_000)) }
        #expect(throws: JSONError.tooDeep) {
            try parse(String(repeating: #"{"a":"#, count: 100_000))
        }
        limits.bytesMax = 10
        #expect(throws: Never.self) { try parse("[1,2,3, 4]", limits: limits) }
        #expect(throws: JSONError.tooLarge) { try parse("[1,2,3,  4]", limits: limits) }
        limits.valuesMax = 3
        #expect(throws: Never.self) { try parse("[1,2]", limits: limits) }
        #expect(throws: JSONError.tooManyValues) { try parse("[1,2,3]", limits: limits) }
    }

    @Test func oneKeyTwiceIsRefused() throws {
        // Two readers could take one value each (INT-6).
        #expect(throws: JSONError.duplicateKey) { try parse(#"{"a":1,"a":1}"#) }
        #expect(throws: JSONError.duplicateKey) { try parse(#"{"a":1,"\u0061":2}"#) }
        let many = (0..<2000).map { "\"k\($0)\":0" }.joined(separator: ",")
        #expect(throws: Never.self) { try parse("{\(many)}") }
        #expect(throws: JSONError.duplicateKey) { try parse("{\(many),\"k7\":1}") }
        // Equal to Swift's eyes, but different keys.
        #expect(throws: Never.self) { try parse("{\"\u{e9}\":1,\"e\u{301}\":2}") }
    }

    @Test(arguments: [
        ("5", Int64(5)), ("-3", -3), ("9223372036854775807", .max), ("0", 0),
        ("9223372036854775808", nil), ("1.5", nil), ("1.0", nil), ("1e3", nil), ("1e400", nil),
        ("-1e-400", nil), ("123456789012345678901234567890", nil), ("\"5\"", nil), ("true", nil),
    ])
    func onlyWrittenIntegersAreIntegers(text: String, expected: Int64?) throws {
        #expect(try parse(text).integer == expected)
    }

    @Test func invalidUTF8IsRepaired() throws {
        #expect(try JSONValue.parse([0x22, 0xff, 0x61, 0x22]) == .string("\u{fffd}a"))
    }

    @Test func whatTheWriterWritesTheReaderReads() throws {
        let seed = SeededGenerator.seedOfThisRun()
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<300 {
            let scalars = (0..<Int.random(in: 0...20, using: &generator)).compactMap { _ in
                Unicode.Scalar(UInt32.random(in: 0...0x2fff, using: &generator) % 300)
            }
            var text = ""
            text.unicodeScalars.append(contentsOf: scalars)
            var writer = JSONWriter()
            writer.array {
                $0.string(text)
                $0.object { $0.member(text, 7) }
                $0.bool(true)
            }
            #expect(
                try JSONValue.parse(writer.bytes)
                    == .array([
                        .string(text), .object([JSONMember(key: text, value: .number("7"))]),
                        .bool(true),
                    ]), "seed \(seed)")
            #expect(!writer.bytes.contains { $0 < 0x20 || $0 == 0x7f }, "seed \(seed)")
        }
    }

    @Test func mutatedDocumentsNeverTrap() {
        let seed = SeededGenerator.seedOfThisRun()
        var generator = SeededGenerator(seed: seed)
        let original = Array(ManifestTests.image.utf8)
        for _ in 0..<500 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                let index = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.remove(at: index)
                case 2:
                    bytes.insert(
                        Array("{}[]\",:\\0e.-".utf8).randomElement(using: &generator) ?? 0,
                        at: index)
                default: bytes.removeSubrange(index...)
                }
                if bytes.isEmpty { break }
            }
            _ = try? JSONValue.parse(bytes)
            _ = try? Manifest.parse(bytes, contentType: nil)
            _ = try? ReferrersIndex.parse(bytes)
            _ = try? TagList.parse(bytes)
        }
    }
}

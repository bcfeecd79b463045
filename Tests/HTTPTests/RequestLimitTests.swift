import TestSupport
import Testing

@testable import HTTP

/// RES-1: the limits hold to the byte, however the bytes arrive.
struct RequestLimitTests {
    private func outcome(_ text: String) -> Outcome {
        let bytes = Array(text.utf8)
        let outcome = Outcome.atOnce(bytes)
        var generator = SeededGenerator(seed: 11)
        #expect(Outcome.inPieces(bytes, &generator) == outcome)
        return outcome
    }

    @Test func requestLineOfEightKibibytesPassesAndNoMore() {
        let overhead = "GET /?".utf8.count + " HTTP/1.1\r\n".utf8.count
        let fits = "?" + String(repeating: "q", count: 8192 - overhead)
        #expect(outcome(request("/" + fits)).status == nil)
        #expect(outcome(request("/" + fits + "q")) == .refused(.requestLineTooLong))
        // Also when the line never ends.
        #expect(outcome("GET /" + String(repeating: "a", count: 9000)).status == 414)
        #expect(outcome("GET /" + String(repeating: "a", count: 8000)) == .incomplete)
    }

    @Test func headersOfThirtyTwoKibibytesPassAndNoMore() {
        let overhead = "Host: localhost\r\nX: \r\n\r\n".utf8.count
        let fits = String(repeating: "v", count: (32 << 10) - overhead)
        #expect(outcome(request(fields: "X: \(fits)\r\n")).status == nil)
        #expect(outcome(request(fields: "X: \(fits)v\r\n")) == .refused(.headersTooLarge))
        #expect(outcome(request(fields: "X: \(fits)\(fits)")) == .refused(.headersTooLarge))
    }

    @Test func aHundredFieldsPassAndNoMore() {
        // CVE-2026-40395: too many end in a status, not in a trap.
        let fields = { (count: Int) in (0..<count).map { "F\($0): x\r\n" }.joined() }
        #expect(outcome(request(fields: fields(99))).status == nil)
        #expect(outcome(request(fields: fields(100))) == .refused(.tooManyFields))
        #expect(outcome(request(fields: fields(5000))) == .refused(.tooManyFields))
    }

    @Test func thirtyTwoParametersPassAndNoMore() {
        let query = { (count: Int) in (0..<count).map { "p\($0)=1" }.joined(separator: "&") }
        #expect(outcome(request("/?" + query(32))).status == nil)
        #expect(outcome(request("/?" + query(33))) == .refused(.tooManyParameters))
    }

    @Test func noHeadNeedsMoreThanTheBuffer() {
        let limits = ParserLimits()
        let text = "GET /" + String(repeating: "a", count: 8000) + " HTTP/1.1\r\nHost: a\r\nX: "
        let bytes = Array(text.utf8) + [UInt8](repeating: 0x61, count: limits.headBytesMax)
        #expect(Outcome.atOnce(Array(bytes.prefix(limits.headBytesMax))) != .incomplete)
    }
}

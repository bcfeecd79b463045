import Testing

@testable import HTTP

/// HTTP-8: one emitter, and nothing but what it was told reaches the wire.
struct ResponseHeadTests {
    private func text(_ head: ResponseHead) -> String {
        var bytes: [UInt8] = []
        head.serialize(into: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func headIsWrittenInOrder() {
        let fields: HeaderFields = [
            "Content-Type": "application/json", "x": "", "Content-Length": "2",
        ]
        #expect(
            text(ResponseHead(status: 404, fields: fields))
                == "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nx: \r\nContent-Length: 2\r\n\r\n"
        )
        #expect(text(ResponseHead(status: 299)) == "HTTP/1.1 299 \r\n\r\n")
        #expect(text(ResponseHead(status: 200, reason: "Fine")) == "HTTP/1.1 200 Fine\r\n\r\n")
    }

    @Test(arguments: [
        ("X", "a\r\nSet-Cookie: b"), ("X", "a\nb"), ("X", "a\0"), ("X", "\u{7f}"),
        ("X", "12345678\r"),
        ("X\r\nY", "a"), ("X:", "a"), ("", "a"), ("X Y", "a"), ("É", "a"), ("X\0", "a"),
    ])
    func fieldThatCouldSplitTheAnswerIsRefused(name: String, value: String) {
        // CVE-2022-3215 and its kin.
        var fields: HeaderFields = ["X": "before"]
        let isAppended = fields.append(name, value)
        let isSet = fields.set(name, value)
        #expect(!isAppended && !isSet)
        #expect(fields.count == 1)
        #expect(fields[first: "x"] == "before")
    }

    @Test func reasonThatCouldSplitTheAnswerIsDropped() {
        #expect(text(ResponseHead(status: 200, reason: "a\r\nX: y")) == "HTTP/1.1 200 OK\r\n\r\n")
    }

    @Test(arguments: [-1, 0, 99, 600, Int.max, Int.min])
    func statusThatIsNoneBecomesAnError(status: Int) {
        #expect(text(ResponseHead(status: status)).hasPrefix("HTTP/1.1 500 "))
    }

    @Test func fieldsAreFoundInAnyCaseAndReplacedInOne() {
        var fields: HeaderFields = ["Accept": "a", "accept": "b", "Other": "c"]
        #expect(fields.all("ACCEPT") == ["a", "b"])
        fields.set("Accept", "d")
        #expect(fields.all("accept") == ["d"])
        fields.append("Length", 7)
        fields.remove("other")
        let lines = fields.map { "\($0.name): \($0.value)" }
        #expect(lines == ["Accept: d", "Length: 7"])
        #expect(fields.contains("LENGTH") && !fields.contains("Other") && !fields.isEmpty)
    }

    @Test func fieldsBeyondAMebibyteAreRefused() {
        var fields = HeaderFields()
        let value = String(repeating: "v", count: 600_000)
        let isFirstTaken = fields.append("A", value)
        let isSecondTaken = fields.append("B", value)
        #expect(isFirstTaken && !isSecondTaken)
    }
}

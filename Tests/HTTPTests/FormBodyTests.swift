import TestSupport
import Testing

@testable import HTTP

/// Forms, as token requests post them.
@Suite struct FormBodyTests {
    private func fields(_ text: String) -> [String]? {
        FormBody.parse(Array(text.utf8))?.map {
            "\($0.name)=\(String(decoding: $0.value, as: UTF8.self))"
        }
    }

    @Test func fieldsAreDecoded() {
        #expect(
            fields("grant_type=password&scope=a%3Ab+c&password=%23%26%25%2B&x&=y")
                == ["grant_type=password", "scope=a:b c", "password=#&%+", "x=", "=y"])
        #expect(fields("") == [] && fields("&&") == [])
        #expect(FormBody.parse(Array("a=%ff".utf8))?.first?.value == [0xff])
    }

    @Test(arguments: ["%", "a=%4", "a=%zz", "%g0=a"])
    func halfEscapesAreNoForm(text: String) {
        #expect(fields(text) == nil)
    }

    @Test func thereIsABound() {
        #expect(FormBody.parse([UInt8](repeating: 65, count: FormBody.bytesMax + 1)) == nil)
        #expect(fields(String(repeating: "a=b&", count: 65)) == nil)
        #expect(fields(String(repeating: "a=b&", count: 64))?.count == 64)
    }

    @Test func anyBytesAreReadWithoutHarm() {
        var generator = SeededGenerator(seed: 82)
        for _ in 0..<3000 {
            let bytes = (0..<Int.random(in: 0...40, using: &generator)).map { _ in
                Array("a=&%+0f\u{0}".utf8).randomElement(using: &generator) ?? 0
            }
            let fields = FormBody.parse(bytes)
            #expect(fields?.allSatisfy { $0.value.count <= bytes.count } ?? true)
        }
    }
}

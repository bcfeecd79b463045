/// A form as clients post it: `application/x-www-form-urlencoded`, values as bytes.
package enum FormBody {
    /// A longer one is not read.
    package static let bytesMax = 16 << 10
    private static let fieldsMax = 64

    package struct Field: Equatable, Sendable {
        package let name: String
        package let value: [UInt8]
    }

    /// The fields in their order; nil for incomplete escapes, or too many of them.
    package static func parse(_ bytes: [UInt8]) -> [Field]? {
        guard bytes.count <= bytesMax else { return nil }
        var fields: [Field] = []
        for part in bytes.split(separator: UInt8(ascii: "&")) {
            let equals = part.firstIndex(of: UInt8(ascii: "=")) ?? part.endIndex
            guard fields.count < fieldsMax, let name = decode(part[..<equals]),
                let value = decode(part[equals...].dropFirst())
            else { return nil }
            fields.append(Field(name: String(decoding: name, as: UTF8.self), value: value))
        }
        return fields
    }

    private static func decode(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        let spaced = text.map { $0 == UInt8(ascii: "+") ? UInt8(ascii: " ") : $0 }
        return PercentEncoding.decode(
            spaced.span, from: 0, to: spaced.count, escaped: { _ in true })
    }
}

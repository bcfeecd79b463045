import OCI

/// JSON: bounded, and what was read says the same when it is written and read again (SWIFT-2).
enum JSONBody {
    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        guard let value = try? JSONValue.parse(bytes) else { return }
        let written = write(value)
        guard written.count <= JSONLimits().bytesMax else { return }
        try demand((try? JSONValue.parse(written)) == value, "written again")
        try demand(write((try? JSONValue.parse(written)) ?? .null) == written, "written twice")
    }

    private static func write(_ value: JSONValue) -> [UInt8] {
        switch value {
        case .null: Array("null".utf8)
        case .bool(let value): Array(value ? "true".utf8 : "false".utf8)
        case .number(let text): Array(text.utf8)
        case .string(let text): quoted(text)
        case .array(let values):
            [UInt8(ascii: "[")] + Array(values.map(write).joined(separator: [UInt8(ascii: ",")]))
                + [UInt8(ascii: "]")]
        case .object(let members):
            [UInt8(ascii: "{")]
                + Array(
                    members.map { quoted($0.key) + [UInt8(ascii: ":")] + write($0.value) }
                        .joined(separator: [UInt8(ascii: ",")])) + [UInt8(ascii: "}")]
        }
    }

    private static func quoted(_ text: String) -> [UInt8] {
        var writer = JSONWriter()
        writer.string(text)
        return writer.bytes
    }
}

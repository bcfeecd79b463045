/// The Link header as registries use it for paging (RFC 8288).
package enum LinkHeader {
    /// The longest value that is read (SSRF-2).
    package static let bytesMax = 8 << 10

    /// The target of the first link whose `rel` is `next`, as it stands between the angle brackets.
    ///
    /// It is untrusted: the caller takes path and query of it and asks its own upstream (SSRF-1).
    package static func next(in value: String) -> String? {
        guard value.utf8.count <= bytesMax else { return nil }
        var rest = Array(value.utf8)[...]
        while let opening = rest.firstIndex(of: UInt8(ascii: "<")) {
            rest = rest[(opening + 1)...]
            guard let closing = rest.firstIndex(of: UInt8(ascii: ">")) else { return nil }
            let target = rest[..<closing]
            rest = rest[(closing + 1)...]
            let end = endOfParameters(rest)
            if isNext(rest[..<end]), !target.isEmpty, target.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
            {
                return String(decoding: target, as: UTF8.self)
            }
            rest = rest[end...]
        }
        return nil
    }

    /// The header's value for a next page.
    package static func build(next target: String) -> String {
        "<\(target)>; rel=\"next\""
    }

    /// Where the parameters of a link end: at a comma outside quotes, or at the end.
    private static func endOfParameters(_ bytes: ArraySlice<UInt8>) -> Int {
        var isQuoted = false
        for index in bytes.indices {
            if bytes[index] == UInt8(ascii: "\"") { isQuoted.toggle() }
            if bytes[index] == UInt8(ascii: ","), !isQuoted { return index }
        }
        return bytes.endIndex
    }

    private static func isNext(_ parameters: ArraySlice<UInt8>) -> Bool {
        parameters.split(separator: UInt8(ascii: ";")).contains { parameter in
            let text = String(decoding: parameter, as: UTF8.self)
            let parts = text.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, Bytes.equalIgnoringCase(Bytes.trimmed(parts[0]), "rel") else {
                return false
            }
            let value = Bytes.trimmed(parts[1]).filter { $0 != "\"" }
            return value.split(separator: " ").contains { Bytes.equalIgnoringCase($0, "next") }
        }
    }
}

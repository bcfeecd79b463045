/// A request as the scripted upstream saw it.
package struct WireRequest: Sendable, CustomStringConvertible {
    /// Which of the upstream's faces was asked.
    package enum Role: String, Sendable { case registry, token, cdn, evil }

    package var role: Role = .registry
    package let method: String
    /// The request target as it came, query included.
    package let target: String
    package let fields: [(name: String, value: String)]
    package var body: [UInt8] = []

    /// The request and its range, in one line.
    package var description: String {
        let range = self["Range"].map { " (\($0))" } ?? ""
        return "\(role.rawValue) \(method) \(target.prefix(200))\(range)"
    }

    /// The target without its query.
    package var path: String { String(target.prefix { $0 != "?" }) }

    /// The first value of a header, whatever its case.
    package subscript(_ name: String) -> String? { all(name).first }

    /// All values of a header.
    package func all(_ name: String) -> [String] {
        let wanted = name.lowercased()
        return fields.filter { $0.name.lowercased() == wanted }.map(\.value)
    }

    /// All decoded values of a query parameter.
    package func query(_ name: String) -> [String] {
        guard let mark = target.firstIndex(of: "?") else { return [] }
        return target[target.index(after: mark)...].split(separator: "&").compactMap { pair in
            let parts = pair.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, parts[0] == name else { return nil }
            return percentDecoded(String(parts[1]))
        }
    }

    /// The start of a `Range: bytes=N-` header, with its end if it has one.
    package var range: (first: Int64, last: Int64?)? {
        guard let value = self["Range"], value.hasPrefix("bytes=") else { return nil }
        let parts = value.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let first = Int64(parts[0]) else { return nil }
        return (first, Int64(parts[1]))
    }

    /// Reads one request head; nil at the end of the connection.
    static func read(from reader: SocketReader) throws -> WireRequest? {
        guard let first = try reader.line() else { return nil }
        let parts = first.split(separator: " ")
        guard parts.count == 3 else { return nil }
        var fields: [(String, String)] = []
        while let line = try reader.line(), !line.isEmpty {
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            fields.append((String(line[..<colon]), String(value)))
        }
        return WireRequest(method: String(parts[0]), target: String(parts[1]), fields: fields)
    }
}

/// Decodes `%41` and `+` as in a query.
private func percentDecoded(_ text: String) -> String {
    var result: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
        if byte == UInt8(ascii: "%"), rest.count >= 2,
            let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
        {
            result.append(value)
            rest = rest.dropFirst(2)
        } else {
            result.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
        }
    }
    return String(decoding: result, as: UTF8.self)
}

import CTOML

/// Reads TOML text into nodes by way of toml++.
enum TOMLDocument {
    /// What is wrong with the syntax, and where.
    struct SyntaxError: Error, Sendable {
        let message: String
        let place: Place?
    }

    /// Where the text stands in its source: a file as it is, a variable's value behind its name.
    struct Origin: Sendable {
        let source: SourceText
        /// Added to the columns of the first line.
        var columnOffset = 0
    }

    /// Parses a whole document.
    static func parse(_ bytes: [UInt8], _ origin: Origin) throws(SyntaxError) -> TOMLTable {
        let parsed = bytes.withUnsafeBytes { raw -> OpaquePointer? in
            guard let base = raw.baseAddress else { return ctoml_parse("", 0) }
            return ctoml_parse(base.assumingMemoryBound(to: CChar.self), raw.count)
        }
        guard let parsed else { throw SyntaxError(message: "out of memory", place: nil) }
        defer { ctoml_free(parsed) }
        let message = text(ctoml_error(parsed))
        guard message.isEmpty else {
            let place = place(ctoml_error_region(parsed), origin)
            throw SyntaxError(message: wording(message), place: place)
        }
        return table(parsed, ctoml_node_at(parsed, 0), origin)
    }

    /// Parses one value, as an environment variable holds it.
    static func parseValue(_ value: String, _ origin: Origin) throws(SyntaxError) -> TOMLNode {
        var origin = origin
        origin.columnOffset -= 2
        let document = try parse(Array("v=\(value)".utf8), origin)
        // More than one key: the value held a line end and further assignments.
        guard document.entries.count == 1, let entry = document["v"] else {
            throw SyntaxError(message: "more than one value", place: nil)
        }
        return entry.value
    }

    private static func node(
        _ document: OpaquePointer, _ raw: ctoml_node, _ origin: Origin
    ) -> TOMLNode {
        let content: TOMLNode.Content =
            switch raw.kind {
            case ctoml_table: .table(table(document, raw, origin))
            case ctoml_array: .array(children(document, raw).map { node(document, $0, origin) })
            case ctoml_string: .string(text(raw.string))
            case ctoml_integer: .integer(raw.integer)
            case ctoml_float: .float(raw.floating)
            case ctoml_boolean: .boolean(raw.boolean)
            default: .other
            }
        return TOMLNode(content: content, place: place(raw.region, origin))
    }

    /// A table's entries in the order of the source; toml++ keeps them by name.
    private static func table(
        _ document: OpaquePointer, _ raw: ctoml_node, _ origin: Origin
    ) -> TOMLTable {
        var table = TOMLTable()
        let ordered = children(document, raw).sorted {
            ($0.key_region.line, $0.key_region.column) < ($1.key_region.line, $1.key_region.column)
        }
        for child in ordered {
            table.append(
                TOMLTable.Entry(
                    key: text(child.key), keyPlace: place(child.key_region, origin),
                    value: node(document, child, origin)))
        }
        return table
    }

    private static func children(_ document: OpaquePointer, _ raw: ctoml_node) -> [ctoml_node] {
        (0..<raw.child_count).map { ctoml_node_at(document, raw.first_child + $0) }
    }

    private static func place(_ region: ctoml_region, _ origin: Origin) -> Place? {
        guard region.line > 0 else { return nil }
        let shift = region.line == 1 ? origin.columnOffset : 0
        let width =
            region.line == region.end_line
            ? Int(region.end_column) - Int(region.column) : 1
        return Place(
            source: origin.source, line: Int(region.line),
            column: max(1, Int(region.column) + shift), width: max(1, width))
    }

    private static func text(_ raw: ctoml_text) -> String {
        guard let bytes = raw.bytes else { return "" }
        return String(
            decoding: UnsafeRawBufferPointer(start: bytes, count: raw.length), as: UTF8.self)
    }

    /// The parser's message without its preamble.
    private static func wording(_ message: String) -> String {
        if message.contains("TOML_MAX_NESTED_VALUES") { return "values are nested too deep" }
        guard message.hasPrefix("Error while parsing "), let colon = message.firstIndex(of: ":")
        else { return message.prefix(1).lowercased() + message.dropFirst() }
        return message[message.index(after: colon)...].drop { $0 == " " }.description
    }
}

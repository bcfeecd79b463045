/// One entry of `upstreams`, before the keys of a table are looked at.
enum UpstreamEntry: Sendable {
    case url(UpstreamURL, Place?)
    case table(TOMLTable, Place?)
}

extension ValueKind where Value == [UpstreamEntry] {
    /// More would make the last one hear of a request long after its client has left.
    private static var upstreamsMax: Int { 8 }

    /// A list of URLs, or of tables with a login each.
    static var upstreams: ValueKind<[UpstreamEntry]> {
        let expected =
            "a list of URLs, or of tables { url = \"…\", username = \"…\", password = … }"
        return ValueKind(expected: expected, shape: .toml) { node, key, problems in
            guard case .array(let nodes) = node.content else {
                problems.wrongType(of: key, expected: expected, node)
                return nil
            }
            guard (1...upstreamsMax).contains(nodes.count) else {
                problems.error(
                    "bad-value", "\(key) takes 1 to \(upstreamsMax) entries", at: node.place)
                return nil
            }
            let entries = nodes.map { entry(of: $0, key, &problems) }
            let good = entries.compactMap(\.self)
            return good.count == nodes.count ? good : nil
        }
    }

    private static func entry(
        of node: TOMLNode, _ key: String, _ problems: inout Problems
    ) -> UpstreamEntry? {
        if let table = node.table { return .table(table, node.place) }
        return ValueKind<UpstreamURL>.upstreamURL.read(node, key, &problems).map {
            .url($0, node.place)
        }
    }
}

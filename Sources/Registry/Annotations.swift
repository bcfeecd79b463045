import OCI

/// A manifest's annotations as the index keeps them, for referrers lists.
enum Annotations {
    static func encode(_ annotations: [String: String]) -> String {
        var writer = JSONWriter()
        writer.object { writer in
            for (key, value) in annotations.sorted(by: { $0.key < $1.key }) {
                writer.member(key, value)
            }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    static func decode(_ text: String?) -> [String: String] {
        guard let text, let value = try? JSONValue.parse(Array(text.utf8)) else { return [:] }
        var annotations: [String: String] = [:]
        for member in value.object ?? [] {
            if let text = member.value.string { annotations[member.key] = text }
        }
        return annotations
    }
}

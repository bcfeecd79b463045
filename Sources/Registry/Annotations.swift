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
}

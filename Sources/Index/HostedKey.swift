/// How the index tells hosted repositories from others: by the end of their keys.
package enum HostedKey {
    /// In no repository's name; what is recorded with a login mark is nobody else's to show.
    private static let mark = "!hosted"

    /// The key of the hosted repository of that name.
    package static func key(_ repository: String) -> String { repository + mark }

    /// The name in the configuration of what has this key.
    package static func name(_ key: String) -> String {
        isHosted(key) ? String(key.dropLast(mark.count)) : key
    }

    package static func isHosted(_ key: String) -> Bool { key.hasSuffix(mark) }
}

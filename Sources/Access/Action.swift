/// What a request wants to do with what a repository holds.
package enum Action: String, Hashable, Sendable, CaseIterable {
    case pull
    case push
    case delete
    /// Everything; in rules only.
    case admin
}

/// What became of the question whether somebody may.
package enum Decision: Hashable, Sendable {
    case allowed
    /// Not without saying who asks: 401.
    case loginNeeded
    /// Not for whoever asks: 403.
    case denied
}

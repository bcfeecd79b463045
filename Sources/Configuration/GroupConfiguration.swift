/// `type = "group"`: several repositories under one name; the first that has an image wins.
package struct GroupConfiguration: Sendable, Equatable {
    /// Names of existing repositories in order of precedence; free of cycles, may be groups.
    package var members: [String]
    /// The hosted repository, a member, that takes what is pushed to the group; nil for none.
    package var pushTo: String?
}

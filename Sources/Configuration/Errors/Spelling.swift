/// What the command line needs of the configuration's sense for words.
package enum Spelling {
    /// The candidate that was probably meant, if any is near enough.
    package static func nearest(to word: String, among candidates: [String]) -> String? {
        Suggestion.nearest(to: word, among: candidates)
    }

    /// Text from outside as it may stand in a message: short, without control characters.
    package static func quoted(_ text: String) -> String { Quoted.of(text) }
}

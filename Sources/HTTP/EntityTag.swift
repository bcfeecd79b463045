/// A strong entity tag, which for Cistern is always a digest in quotes (RFC 9110 §8.8.3).
package struct EntityTag: Hashable, Sendable, CustomStringConvertible {
    /// What stands between the quotes.
    package let text: String

    /// Takes what stands between the quotes: a digest.
    package init(_ text: String) {
        self.text = text
    }

    /// The tag as it is sent.
    package var description: String { "\"\(text)\"" }

    /// Whether If-None-Match names this tag, so that the answer is 304 (RFC 9110 §13.1.2).
    ///
    /// Weak comparison; a list, `*`, and the bare digest that some clients send without quotes.
    /// Values of several lines are to be joined by commas. A text that is no list of tags matches
    /// nothing.
    package func matches(ifNoneMatch header: String) -> Bool {
        let trimmed = Bytes.trimmed(header[...])
        if trimmed == "*" { return true }
        return trimmed.split(separator: ",").contains { element in
            var tag = Bytes.trimmed(element)
            if tag.hasPrefix("W/\"") { tag = tag.dropFirst(2) }
            return tag.utf8.elementsEqual(description.utf8) || tag.utf8.elementsEqual(text.utf8)
        }
    }

    /// Whether If-Range names exactly this tag, so that Range applies (RFC 9110 §13.1.5).
    ///
    /// Strong comparison: a weak tag or a date never matches, since Cistern sends neither.
    package func matches(ifRange header: String) -> Bool {
        Bytes.trimmed(header[...]).utf8.elementsEqual(description.utf8)
    }
}

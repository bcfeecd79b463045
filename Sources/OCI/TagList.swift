/// The answer of `/tags/list`.
package struct TagList: Sendable {
    package static let contentType = MediaType.json

    /// The repository's name as the client wrote it.
    package var name: String
    package var tags: [Tag]

    package init(name: String, tags: [Tag]) {
        self.name = name
        self.tags = tags
    }

    /// Reads the answer of another registry; what is no tag is left out, `null` is an empty list.
    package static func parse(_ bytes: [UInt8]) throws(JSONError) -> TagList {
        let document = try JSONValue.parse(bytes)
        guard document.object != nil else { throw .syntax(offset: 0) }
        let tags = (document["tags"]?.array ?? []).compactMap { value in
            value.string.flatMap { Tag(parsing: $0) }
        }
        return Self(name: document["name"]?.string ?? "", tags: tags)
    }

    /// The page after `last` (exclusive, need not exist) of at most `count` tags, out of a sorted
    /// list.
    ///
    /// `more` says whether a `Link` to the next page is due; a page of none never has one.
    package func page(after last: String?, count: Int?) -> (tags: TagList, more: Bool) {
        let rest: ArraySlice<Tag>
        if let last {
            rest = tags.drop { !last.utf8.lexicographicallyPrecedes($0.text.utf8) }
        } else {
            rest = tags[...]
        }
        guard let count, count < rest.count else {
            return (Self(name: name, tags: Array(rest)), false)
        }
        let page = rest.prefix(max(0, count))
        return (Self(name: name, tags: Array(page)), !page.isEmpty)
    }

    /// The list as `{"name":…,"tags":[…]}`; no tags are `[]`, never `null`.
    package func encode() -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("name", name)
            writer.key("tags")
            writer.array { writer in
                for tag in tags { writer.string(tag.text) }
            }
        }
        return writer.bytes
    }
}

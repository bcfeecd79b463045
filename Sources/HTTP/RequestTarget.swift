/// What a request asks for: a path and a query, both decoded once.
package struct RequestTarget: Equatable, Sendable {
    /// The percent-decoded path, ASCII, beginning with `/`; or `*` for `OPTIONS *`.
    ///
    /// It has no `//`, no `.` or `..` segment, no backslash, no control byte, and no slash that was
    /// written `%2F` (HTTP-5).
    package let path: String
    /// The decoded parameters in their order, at most `ParserLimits.queryParametersMax`.
    package let query: [QueryParameter]
    /// The query as it was sent, without the question mark; `nil` if there was no question mark.
    package let rawQuery: String?

    package init(path: String, query: [QueryParameter] = [], rawQuery: String? = nil) {
        self.path = path
        self.query = query
        self.rawQuery = rawQuery
    }

    /// The value of the first parameter of that name.
    package func first(_ name: String) -> String? {
        query.first { $0.name == name }?.value
    }

    /// The values of all parameters of that name, in order.
    package func all(_ name: String) -> [String] {
        query.filter { $0.name == name }.map(\.value)
    }
}

/// One `name=value` of a query; without the `=` the value is empty.
package struct QueryParameter: Equatable, Sendable {
    package var name: String
    package var value: String

    package init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}

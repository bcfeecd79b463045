/// One challenge of a WWW-Authenticate header (RFC 9110 §11.6.1).
package struct Challenge: Equatable, Sendable {
    /// The scheme in lower case: `bearer`, `basic`.
    package let scheme: String
    /// The parameters in their order, names in lower case.
    package let parameters: [Parameter]
    /// The single unnamed value that some schemes have instead of parameters.
    package let token: String?

    /// `name=value`, the value without its quotes.
    package struct Parameter: Equatable, Sendable {
        package let name: String
        package let value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// The longest text of all challenges together; what is beyond it is not read (RES-2).
    package static let bytesMax = 8 << 10

    package init(scheme: String, parameters: [Parameter], token: String? = nil) {
        self.scheme = scheme
        self.parameters = parameters
        self.token = token
    }

    /// The value of the first parameter of that lower-case name.
    package subscript(_ name: String) -> String? {
        parameters.first { $0.name == name }?.value
    }

    /// Reads all challenges of all header lines, several per line included.
    ///
    /// A line stops being read where it becomes malformed; what was complete before that counts.
    /// Lines beyond `bytesMax` in all are left out.
    package static func parse(_ lines: [String]) -> [Challenge] {
        var challenges: [Challenge] = []
        var left = bytesMax
        for line in lines {
            guard line.utf8.count <= left else { break }
            left -= line.utf8.count
            var reader = ChallengeReader(Array(line.utf8))
            challenges += reader.challenges()
        }
        return challenges
    }
}

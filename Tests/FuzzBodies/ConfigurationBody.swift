import Configuration

/// Configuration text: a value or readable errors, never a control character in a message (CRED-7).
///
/// What stands behind a NUL are variables of the environment, one a line.
enum ConfigurationBody {
    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        let parts = bytes.split(
            separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
        var environment = ["HOME": "/nonexistent"]
        if parts.count > 1 {
            for line in parts[1].split(separator: UInt8(ascii: "\n")) {
                let text = String(decoding: line, as: UTF8.self)
                guard let equals = text.firstIndex(of: "=") else { continue }
                environment[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
        }
        let host = Host(isRoot: false, cores: 4, currentDirectory: "/nonexistent")
        let result = Configuration.parse(
            bytes: Array(parts[0]), name: "c.toml", environment: environment, host: host)
        guard case .failure(let errors) = result else { return }
        try demand(errors.count > 0, "refused without an error")
        for diagnostic in errors.diagnostics {
            try demand(!diagnostic.message.isEmpty, "an error without words")
        }
        let isClean = errors.description.unicodeScalars.allSatisfy {
            $0 == "\n" || $0 == "\t" || ($0.value >= 0x20 && !(0x7f..<0xa0).contains($0.value))
        }
        try demand(isClean, "control characters in: \(errors.description.debugDescription)")
    }
}

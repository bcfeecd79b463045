extension PasswordFile {
    /// The text of a file with a user's hash set, or the user taken out for nil; all other lines
    /// stay as they are.
    package static func edited(_ bytes: [UInt8], _ name: String, _ hash: String?) -> [UInt8] {
        let newline = UInt8(ascii: "\n")
        let prefix = Array("\(name):".utf8)
        var lines = bytes.split(separator: newline, omittingEmptySubsequences: false)
            .map(Array.init)
        if lines.last?.isEmpty == true { lines.removeLast() }
        let place = lines.firstIndex { $0.starts(with: prefix) }
        if let hash {
            let line = prefix + hash.utf8
            if let place { lines[place] = line } else { lines.append(line) }
        } else if let place {
            lines.remove(at: place)
        }
        return lines.flatMap { $0 + [newline] }
    }
}

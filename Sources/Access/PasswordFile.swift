/// A password file as `htpasswd -B` writes it: `name:$2y$…`, one user a line, `#` for comments.
package struct PasswordFile: Sendable, Equatable {
    /// What is wrong with a line; the hash itself is in none of these.
    package struct Problem: Error, Sendable, Equatable {
        /// From 1.
        package let line: Int
        package let text: String
    }

    /// A larger one is no password file.
    package static let bytesMax = 4 << 20
    private static let problemsMax = 20

    /// Hashes by name.
    package private(set) var hashes: [String: String] = [:]
    /// Names in the order of the file.
    package private(set) var names: [String] = []

    package init() {}

    /// Reads a file; lines that are wrong let nobody in and are told.
    package static func parse(_ bytes: [UInt8]) -> (file: PasswordFile, problems: [Problem]) {
        var file = PasswordFile()
        var problems: [Problem] = []
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            let text = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
            guard let first = text.first, first != UInt8(ascii: "#") else { continue }
            do throws(Wrong) {
                try file.take(text)
            } catch {
                guard problems.count < problemsMax else { continue }
                problems.append(Problem(line: index + 1, text: error.text))
            }
        }
        return (file, problems)
    }

    private struct Wrong: Error {
        let text: String
    }

    private mutating func take(_ line: ArraySlice<UInt8>) throws(Wrong) {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else {
            throw Wrong(text: "no colon between name and hash")
        }
        guard let name = Self.name(line[..<colon]) else {
            throw Wrong(
                text: "the name is empty, too long or has characters other than visible ASCII")
        }
        guard hashes[name] == nil else { throw Wrong(text: "\(name) is there twice") }
        let hash = line[line.index(after: colon)...]
        guard Self.isBcrypt(hash) else { throw Wrong(text: "\(name): \(Self.kind(hash))") }
        hashes[name] = String(decoding: hash, as: UTF8.self)
        names.append(name)
    }

    /// A name that Basic can carry and a log can show.
    package static func name(_ bytes: some Collection<UInt8>) -> String? {
        guard (1...128).contains(bytes.count),
            bytes.allSatisfy({ (0x21...0x7e).contains($0) && $0 != UInt8(ascii: ":") })
        else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// `$2y$10$` and 53 characters of salt and hash.
    private static func isBcrypt(_ hash: ArraySlice<UInt8>) -> Bool {
        let parts = hash.split(
            separator: UInt8(ascii: "$"), maxSplits: 3, omittingEmptySubsequences: false)
        guard hash.count == 60, parts.count == 4, parts[0].isEmpty,
            ["2a", "2b", "2y"].contains(String(decoding: parts[1], as: UTF8.self)),
            parts[2].count == 2, let cost = Int(String(decoding: parts[2], as: UTF8.self)),
            PasswordHash.costs.contains(cost), parts[3].count == 53
        else { return false }
        return parts[3].allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
                || (UInt8(ascii: ".")...UInt8(ascii: "9")).contains(byte)
        }
    }

    /// What stands there instead, and what to do.
    private static func kind(_ hash: ArraySlice<UInt8>) -> String {
        let text = String(decoding: hash.prefix(8), as: UTF8.self)
        let kind =
            text.hasPrefix("$apr1$") || text.hasPrefix("$1$")
            ? "an MD5 hash"
            : text.hasPrefix("{SHA}")
                ? "a bare SHA-1 hash"
                : text.hasPrefix("$5$") || text.hasPrefix("$6$")
                    ? "a SHA-crypt hash"
                    : text.hasPrefix("$2")
                        ? "no whole bcrypt hash of cost 4 to 16" : "no bcrypt hash"
        return "\(kind); bcrypt is what is taken: htpasswd -B, or cistern user passwd"
    }
}

/// The file of robots' tokens: one a line, fields separated by tabs, `#` for comments.
///
/// `ID  SHA-256 of the token  made  expires or -  grants  note`, times in seconds since 1970. The
/// token itself is printed once, when it is made, and kept nowhere.
package struct RobotFile: Sendable, Equatable {
    package struct Entry: Sendable, Equatable {
        package let robot: Robot
        fileprivate let hash: [UInt8]
        package let madeSeconds: Int64
        /// Nil for never.
        package let expiresSeconds: Int64?
        package let note: String
    }

    /// A larger one is no such file.
    package static let bytesMax = 4 << 20
    /// What every token begins with, so that it is known for one wherever it turns up.
    package static let prefix = "cistern_"
    private static let secretBytes = 20
    package static let noteBytesMax = 200

    /// In the order of the file.
    package private(set) var entries: [Entry] = []
    private var places: [String: Int] = [:]

    package init() {}

    /// Reads a file; lines that are wrong let nobody in and are told.
    package static func parse(
        _ bytes: [UInt8]
    ) -> (file: RobotFile, problems: [PasswordFile.Problem]) {
        var file = RobotFile()
        var problems: [PasswordFile.Problem] = []
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            guard let first = line.first, first != UInt8(ascii: "#") else { continue }
            if let entry = Entry(parsing: line), file.places[entry.robot.id] == nil {
                file.places[entry.robot.id] = file.entries.count
                file.entries.append(entry)
            } else if problems.count < 20 {
                problems.append(
                    .init(line: index + 1, text: "no token, or one that is there twice"))
            }
        }
        return (file, problems)
    }

    package func entry(_ id: String) -> Entry? { places[id].map { entries[$0] } }

    /// The robot whose token this is, if it still counts.
    func robot(withToken token: String, atSeconds now: Int64) -> Entry? {
        let parts = token.dropFirst(Self.prefix.count).split(
            separator: "_", omittingEmptySubsequences: false)
        guard token.hasPrefix(Self.prefix), parts.count == 2, token.utf8.count <= 256 else {
            return nil
        }
        let hash = SHA256.hash(Array(token.utf8))
        guard let entry = entry(String(parts[0])), ConstantTime.areEqual(hash, entry.hash),
            !entry.isOver(atSeconds: now)
        else { return nil }
        return entry
    }

    /// A new token and the line that makes it count.
    package static func make(
        _ grants: [Robot.Grant], madeSeconds: Int64, expiresSeconds: Int64?, note: String
    ) -> (token: String, id: String, line: String) {
        let id = BinaryText.hex(Randomness.bytes(4))
        let token = "\(prefix)\(id)_\(BinaryText.hex(Randomness.bytes(secretBytes)))"
        let hash = BinaryText.hex(SHA256.hash(Array(token.utf8)))
        let printable = note.utf8.filter { $0 >= 0x20 && $0 != 0x7f }.prefix(noteBytesMax)
        let fields = [
            id, hash, String(madeSeconds), expiresSeconds.map { String($0) } ?? "-",
            grants.map(\.text).joined(separator: " "), String(decoding: printable, as: UTF8.self),
        ]
        return (token, id, fields.joined(separator: "\t"))
    }

    /// The text of a file with a line put behind the others.
    package static func appending(_ line: String, to bytes: [UInt8]) -> [UInt8] {
        let newline = UInt8(ascii: "\n")
        let gap = bytes.last == nil || bytes.last == newline ? [] : [newline]
        return bytes + gap + line.utf8 + [newline]
    }

    /// The text of a file without a token's line.
    package static func removing(_ id: String, from bytes: [UInt8]) -> [UInt8] {
        let newline = UInt8(ascii: "\n")
        let prefix = Array("\(id)\t".utf8)
        return bytes.split(separator: newline, omittingEmptySubsequences: true)
            .filter { !$0.starts(with: prefix) }.flatMap { $0 + [newline] }
    }
}

extension RobotFile.Entry {
    /// What changes whenever the token does.
    var mark: [UInt8] { hash }

    package func isOver(atSeconds now: Int64) -> Bool { expiresSeconds.map { $0 <= now } ?? false }

    fileprivate init?(parsing line: ArraySlice<UInt8>) {
        let fields = line.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        guard fields.count == 6, (1...64).contains(fields[0].utf8.count),
            fields[0].utf8.allSatisfy({ (0x21...0x7e).contains($0) && $0 != UInt8(ascii: "_") }),
            let hash = BinaryText.bytes(hex: fields[1]), hash.count == 32,
            let made = Int64(fields[2]), fields[3] == "-" || Int64(fields[3]) != nil
        else { return nil }
        let grants = fields[4].split(separator: " ").map { Robot.Grant(parsing: $0) }
        guard !grants.isEmpty, grants.allSatisfy({ $0 != nil }) else { return nil }
        robot = Robot(id: fields[0], grants: grants.compactMap(\.self))
        self.hash = hash
        madeSeconds = made
        expiresSeconds = Int64(fields[3])
        note = fields[5]
    }
}

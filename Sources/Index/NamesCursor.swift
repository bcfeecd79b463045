import OCI

/// What a journal should tell, read from the index a piece at a time, in the order of its keys.
///
/// Each piece is a look-up of its own behind the last key of the one before, so that nothing is
/// held open while others write. What they write is theirs to tell.
struct NamesCursor: Sendable {
    private enum Place: Sendable {
        case links(after: [UInt8], repository: Int64)
        case manifests(after: [UInt8])
        case tags(after: Int64, tag: String)
        case pins, end
    }

    /// Bounds a piece whose lines are short, or none at all.
    private static let rowsMax = 1024

    /// In wall seconds: pins that have ended by then are of the past.
    private let time: Int64
    private var place = Place.links(after: [], repository: .min)
    private var lines: [UInt8] = []
    private var rows = 0

    init(time: Int64) {
        self.time = time
    }

    var isAtEnd: Bool { if case .end = place { true } else { false } }

    /// The next lines, about `NamesJournal.pieceBytes` of them.
    mutating func piece(of connection: Connection) throws(IndexError) -> [UInt8] {
        defer { lines = [] }
        lines.reserveCapacity(NamesJournal.pieceBytes + 1024)
        rows = 0
        while !isFull, !isAtEnd {
            switch place {
            case .links(let digest, let repository):
                try addLinks(of: connection, after: digest, repository)
            case .manifests(let digest): try addManifests(of: connection, after: digest)
            case .tags(let repository, let tag): try addTags(of: connection, after: repository, tag)
            case .pins:
                // By hand, and few.
                for pin in try connection.pins(at: time) { add(.pin(pin)) }
                place = .end
            case .end: break
            }
        }
        return lines
    }

    private var isFull: Bool { lines.count >= NamesJournal.pieceBytes || rows >= Self.rowsMax }

    private mutating func add(_ entry: NamesEntry?) {
        rows += 1
        entry?.write(to: &lines)
    }

    private mutating func addLinks(
        of connection: Connection, after digest: [UInt8], _ repository: Int64
    ) throws(IndexError) {
        let row = try connection.statement(.linksAfter)
        row.bind(1, digest)
        row.bind(2, repository)
        try add(row, then: .manifests(after: [])) { row in
            row.digest(2).map {
                .link(repository: row.text(0) ?? "", name: row.text(1) ?? "", [$0])
            }
        } at: {
            .links(after: $0.bytes(2), repository: $0.integer(3))
        }
    }

    private mutating func addManifests(
        of connection: Connection, after digest: [UInt8]
    ) throws(IndexError) {
        let row = try connection.statement(.manifestsAfter)
        row.bind(1, digest)
        try add(row, then: .tags(after: .min, tag: "")) { row in
            row.digest(0).map { .manifest($0, mediaType: row.text(1) ?? "") }
        } at: {
            .manifests(after: $0.bytes(0))
        }
    }

    private mutating func addTags(
        of connection: Connection, after repository: Int64, _ tag: String
    ) throws(IndexError) {
        let row = try connection.statement(.tagsAfter)
        row.bind(1, repository)
        row.bind(2, tag)
        try add(row, then: .pins) { row in
            row.digest(3).map {
                .tag(
                    repository: row.text(0) ?? "", name: row.text(1) ?? "",
                    tag: row.text(2) ?? "", $0, checkedAt: row.integer(4))
            }
        } at: {
            .tags(after: $0.integer(5), tag: $0.text(2) ?? "")
        }
    }

    /// Adds rows until the piece is full, and is then at the last of them; else at what is `next`.
    private mutating func add(
        _ row: borrowing Statement, then next: Place,
        _ entry: (borrowing Statement) -> NamesEntry?, at reached: (borrowing Statement) -> Place
    ) throws(IndexError) {
        while try row.step() {
            add(entry(row))
            if isFull {
                place = reached(row)
                return
            }
        }
        place = next
    }
}

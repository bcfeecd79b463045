import OCI
import Reactor

/// A name whose image is not evicted.
package struct PinRow: Equatable, Sendable {
    /// The end of a pin that has none.
    package static let endless = Int64.max

    /// The repository's name in the configuration.
    package let repository: String
    /// The image's name there.
    package let name: String
    /// A tag, a pattern of tags or a digest.
    package let reference: String
    /// When it ends, in wall seconds (OPS-4).
    package let until: Int64
    /// What the operator keeps it for.
    package let note: String

    package init(
        repository: String, name: String, reference: String, until: Int64 = endless,
        note: String = ""
    ) {
        self.repository = repository
        self.name = name
        self.reference = reference
        self.until = until
        self.note = note
    }
}

/// What an operator keeps, whatever else has to go.
extension ContentIndex {
    /// Keeps what `pin` names from now on, wherever its tag may move; a digest is kept itself.
    ///
    /// One of the same name is replaced; those that have ended are forgotten.
    package func pin(_ pin: PinRow) async throws(IndexError) {
        let journal = self.journal
        let now = clock.wallSeconds
        try await write { connection throws(IndexError) in
            journal.append([.pin(pin)])
            let ended = try connection.statement(.deleteEndedPins)
            ended.bind(1, now)
            try ended.run()
            try connection.insert(pin)
        }
    }

    /// Keeps it no longer than it is used; false if it was not pinned.
    package func unpin(
        repository: String, name: String, reference: String
    ) async throws(IndexError) -> Bool {
        let journal = self.journal
        return try await write { connection throws(IndexError) in
            journal.append([.unpin(repository: repository, name: name, reference: reference)])
            let before = connection.totalChanges
            let row = try connection.statement(.deletePin)
            row.bind(1, repository)
            row.bind(2, name)
            row.bind(3, reference)
            try row.run()
            return connection.totalChanges > before
        }
    }

    /// All pins that have not ended, in the order of their names.
    package func pins() throws(IndexError) -> [PinRow] {
        let now = clock.wallSeconds
        return try read { connection throws(IndexError) in try connection.pins(at: now) }
    }

    /// What pinned images take on disk, each object once, in bytes.
    package func pinnedDisk() throws(IndexError) -> Int64 {
        let now = clock.wallSeconds
        return try read { connection throws(IndexError) in
            let row = try connection.statement(.pinnedDisk)
            row.bind(1, now)
            return try row.step() ? row.integer(0) : 0
        }
    }
}

extension Connection {
    func insert(_ pin: PinRow) throws(IndexError) {
        let row = try statement(.insertPin)
        row.bind(1, pin.repository)
        row.bind(2, pin.name)
        row.bind(3, pin.reference)
        row.bind(4, Digest(parsing: pin.reference))
        row.bind(5, pin.until)
        row.bind(6, pin.note)
        try row.run()
    }

    /// Pins that end later than `time`, in wall seconds.
    func pins(at time: Int64) throws(IndexError) -> [PinRow] {
        let row = try statement(.pins)
        row.bind(1, time)
        var pins: [PinRow] = []
        while try row.step() {
            guard let repository = row.text(0), let name = row.text(1), let reference = row.text(2)
            else { continue }
            pins.append(
                PinRow(
                    repository: repository, name: name, reference: reference,
                    until: row.integer(3), note: row.text(4) ?? ""))
        }
        return pins
    }
}

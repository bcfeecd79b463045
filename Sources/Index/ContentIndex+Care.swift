package import OCI

/// A name whose image is never evicted.
package struct PinRow: Equatable, Sendable {
    /// The repository's name in the configuration.
    package let repository: String
    /// The image's name there.
    package let name: String
    /// A tag or a digest.
    package let reference: String

    package init(repository: String, name: String, reference: String) {
        self.repository = repository
        self.name = name
        self.reference = reference
    }
}

/// What is done for stored content without anybody asking for it: verifying and keeping it.
extension ContentIndex {
    // MARK: - Scrub

    /// Files verified before `time`, in wall seconds, those first whose turn is longest ago.
    package func leastVerified(before time: Int64, limit: Int) throws(IndexError) -> [Digest] {
        try read { connection throws(IndexError) in
            let row = try connection.statement(.leastVerified)
            row.bind(1, time)
            row.bind(2, Int64(max(limit, 0)))
            var digests: [Digest] = []
            while try row.step() {
                if let digest = row.digest(0) { digests.append(digest) }
            }
            return digests
        }
    }

    /// Says that the file of `digest` was verified at `time`, in wall seconds; no use of it.
    package func noteVerified(_ digest: Digest, at time: Int64) async throws(IndexError) {
        try await write { connection throws(IndexError) in
            let row = try connection.statement(.noteVerified)
            row.bind(1, digest)
            row.bind(2, time)
            try row.run()
        }
    }

    // MARK: - Pins

    /// Keeps what `pin` names from now on, wherever its tag may move; a digest is kept itself.
    package func pin(_ pin: PinRow) async throws(IndexError) {
        try await write { connection throws(IndexError) in
            let row = try connection.statement(.insertPin)
            row.bind(1, pin.repository)
            row.bind(2, pin.name)
            row.bind(3, pin.reference)
            row.bind(4, Digest(parsing: pin.reference))
            try row.run()
        }
    }

    /// Keeps it no longer than it is used; false if it was not pinned.
    package func unpin(_ pin: PinRow) async throws(IndexError) -> Bool {
        try await write { connection throws(IndexError) in
            let before = connection.totalChanges
            let row = try connection.statement(.deletePin)
            row.bind(1, pin.repository)
            row.bind(2, pin.name)
            row.bind(3, pin.reference)
            try row.run()
            return connection.totalChanges > before
        }
    }

    /// All pins, in the order of their names.
    package func pins() throws(IndexError) -> [PinRow] {
        try read { connection throws(IndexError) in
            let row = try connection.statement(.pins)
            var pins: [PinRow] = []
            while try row.step() {
                guard let repository = row.text(0), let name = row.text(1),
                    let reference = row.text(2)
                else { continue }
                pins.append(PinRow(repository: repository, name: name, reference: reference))
            }
            return pins
        }
    }

    /// What pinned images take on disk, each object once, in bytes.
    package func pinnedDisk() throws(IndexError) -> Int64 {
        try read { connection throws(IndexError) in
            let row = try connection.statement(.pinnedDisk)
            return try row.step() ? row.integer(0) : 0
        }
    }
}

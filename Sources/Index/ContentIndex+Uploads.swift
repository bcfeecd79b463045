package import OCI

/// Whose upload it is, for a restart to go on with (AUTH-7).
package struct UploadRow: Equatable, Sendable {
    /// 128 random bits.
    package let id: [UInt8]
    package let repository: String
    package let name: String
    /// Who began it; empty for nobody in particular.
    package let user: String
    package let algorithm: Digest.Algorithm
    /// In wall seconds.
    package let startedAt: Int64

    package init(
        id: [UInt8], repository: String, name: String, user: String,
        algorithm: Digest.Algorithm, startedAt: Int64
    ) {
        self.id = id
        self.repository = repository
        self.name = name
        self.user = user
        self.algorithm = algorithm
        self.startedAt = startedAt
    }
}

/// Uploads under way.
extension ContentIndex {
    package func begin(_ upload: UploadRow) async throws(IndexError) {
        try await write { connection throws(IndexError) in
            let row = try connection.statement(.insertUpload)
            row.bind(1, upload.id)
            row.bind(2, upload.repository)
            row.bind(3, upload.name)
            row.bind(4, upload.user)
            row.bind(5, Int64(upload.algorithm.rawValue))
            row.bind(6, upload.startedAt)
            try row.run()
        }
    }

    package func endUpload(_ id: [UInt8]) async throws(IndexError) {
        try await write { connection throws(IndexError) in
            let row = try connection.statement(.deleteUpload)
            row.bind(1, id)
            try row.run()
        }
    }

    package func upload(_ id: [UInt8]) throws(IndexError) -> UploadRow? {
        try read { connection throws(IndexError) in
            let row = try connection.statement(.upload)
            row.bind(1, id)
            guard try row.step(),
                let algorithm = UInt8(exactly: row.integer(3)).flatMap({
                    Digest.Algorithm(rawValue: $0)
                })
            else { return nil }
            return UploadRow(
                id: id, repository: row.text(0) ?? "", name: row.text(1) ?? "",
                user: row.text(2) ?? "", algorithm: algorithm, startedAt: row.integer(4))
        }
    }

    /// All uploads that were begun and have not ended.
    package func uploads() throws(IndexError) -> [[UInt8]] {
        try read { connection throws(IndexError) in
            let row = try connection.statement(.uploads)
            var ids: [[UInt8]] = []
            while try row.step() { ids.append(row.bytes(0)) }
            return ids
        }
    }
}

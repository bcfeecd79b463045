package import OCI

/// What is done for stored content without anybody asking for it: verifying it.
extension ContentIndex {
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
}

import OCI

/// A blob row as the steps of a transaction need it.
struct StoredObject: Sendable {
    let size: Int64
    let disk: Int64
    let isManifest: Bool
}

/// What a manifest names; `disk` is nil for what is not stored.
struct StoredChild {
    let digest: Digest
    let disk: Int64?
    /// Whether it is hosted, so that no eviction takes it.
    let isHeld: Bool
}

/// The small steps that transactions are made of.
extension Connection {
    func run(_ query: Query, _ digest: Digest) throws(IndexError) {
        let row = try statement(query)
        row.bind(1, digest)
        try row.run()
    }

    func blobState(_ digest: Digest) throws(IndexError) -> StoredObject? {
        let row = try statement(.blobState)
        row.bind(1, digest)
        guard try row.step() else { return nil }
        return StoredObject(
            size: row.integer(0), disk: row.integer(1), isManifest: row.integer(2) != 0)
    }

    func insertPending(_ digest: Digest, disk: Int64, doomed: Bool) throws(IndexError) {
        let row = try statement(.insertPending)
        row.bind(1, digest)
        row.bind(2, disk)
        row.bind(3, doomed ? 1 : 0)
        try row.run()
    }

    func storedChildren(of manifest: Digest) throws(IndexError) -> [StoredChild] {
        let row = try statement(.storedChildren)
        row.bind(1, manifest)
        var children: [StoredChild] = []
        while try row.step() {
            guard let digest = row.digest(0) else { continue }
            children.append(
                StoredChild(
                    digest: digest, disk: row.isNull(1) ? nil : row.integer(1),
                    isHeld: row.integer(2) != 0))
        }
        return children
    }

    /// Makes an object that no stored manifest names any more stand for itself, used at `stamp`.
    func makeRoot(_ digest: Digest, _ stamp: Int64) throws(IndexError) {
        let row = try statement(.makeRoot)
        row.bind(1, digest)
        row.bind(2, stamp)
        try row.run()
    }

    // MARK: - Recency

    /// The most recently used root that holds `digest`, itself included; nil if it is not stored
    /// and nothing stored names it.
    private func freshestRoot(above digest: Digest) throws(IndexError) -> Digest? {
        let row = try statement(.freshestRootAbove)
        row.bind(1, digest)
        return try row.step() ? row.digest(0) : nil
    }

    func use(_ mark: UseMark) throws(IndexError) {
        // Most marks are of whole images; nothing is above a root.
        if try useRoot(mark) { return }
        guard let root = try freshestRoot(above: mark.digest) else { return }
        let row = try statement(.use)
        row.bind(1, root)
        row.bind(2, mark.stamp)
        try row.run()
    }

    private func useRoot(_ mark: UseMark) throws(IndexError) -> Bool {
        let before = totalChanges
        let row = try statement(.useRoot)
        row.bind(1, mark.digest)
        row.bind(2, mark.stamp)
        try row.run()
        return totalChanges > before
    }

    func lastUse(ofImageWith digest: Digest) throws(IndexError) -> Int64 {
        guard let root = try freshestRoot(above: digest) else { return 0 }
        let row = try statement(.blob)
        row.bind(1, root)
        return try row.step() ? row.integer(2) : 0
    }

    // MARK: - Manifests and names

    func insert(_ manifest: ManifestRecord) throws(IndexError) {
        let row = try statement(.insertManifest)
        row.bind(1, manifest.digest)
        row.bind(2, manifest.mediaType)
        row.bind(3, manifest.size)
        row.bind(4, manifest.artifactType)
        row.bind(5, manifest.subject)
        row.bind(6, manifest.annotations)
        try row.run()
        // An image that takes in what was used on its own is as recently used as that.
        var stamp = try lastUse(ofImageWith: manifest.digest)
        for (position, child) in manifest.children.enumerated() {
            stamp = max(stamp, try lastUse(ofImageWith: child.digest))
            try insert(child, position, of: manifest.digest)
        }
        try use(UseMark(digest: manifest.digest, stamp: stamp))
    }

    private func insert(
        _ child: ChildRow, _ position: Int, of manifest: Digest
    ) throws(IndexError) {
        // Nothing names itself: its digest would depend on its digest. Only a forged call could.
        guard child.digest != manifest else { return }
        let row = try statement(.insertChild)
        row.bind(1, manifest)
        row.bind(2, child.digest)
        row.bind(3, Int64(position))
        row.bind(4, child.size)
        row.bind(5, child.mediaType)
        try row.run()
        try run(.attachChild, child.digest)
    }

    /// The number of a repository's name, given out on first use.
    func repository(_ repository: String, _ name: RepositoryName) throws(IndexError) -> Int64 {
        if let id = try findRepository(repository, name) { return id }
        let row = try statement(.insertRepository)
        row.bind(1, repository)
        row.bind(2, name.text)
        try row.run()
        guard let id = try findRepository(repository, name) else {
            throw IndexError.corrupt("repository row vanished")
        }
        return id
    }

    private func findRepository(
        _ repository: String, _ name: RepositoryName
    ) throws(IndexError) -> Int64? {
        let row = try statement(.repository)
        row.bind(1, repository)
        row.bind(2, name.text)
        return try row.step() ? row.integer(0) : nil
    }

    func link(_ digest: Digest, _ repository: Int64) throws(IndexError) {
        let row = try statement(.insertLink)
        row.bind(1, digest)
        row.bind(2, repository)
        try row.run()
    }
}

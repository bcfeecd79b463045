package import OCI
import Reactor
import Synchronization

/// Whole-image LRU: what goes is always a root with everything that only it needs.
extension ContentIndex {
    /// Forgets least recently used images until `request.bytes` are named, in one transaction.
    ///
    /// `claim` is asked on the index thread for each image whether all of the files that would go
    /// may go (none is read or written); a true answer means they will. The files are then listed
    /// as pending and doomed, for the caller to unlink and `settle`; an empty answer means that
    /// nothing more can go. If the transaction itself fails, nothing is forgotten.
    package func evict(
        _ request: EvictionRequest, claim: @escaping @Sendable ([Digest]) -> Bool
    ) async throws(IndexError) -> [EvictedObject] {
        let journal = self.journal
        let now = clock.wallSeconds
        let removed = try await write { connection throws(IndexError) in
            var eviction = Eviction(connection, request, now)
            let removed = try eviction.run(claim)
            journal.append(eviction.forgotten.map { .forget($0) })
            return removed
        }
        totalsState.withLock { totals in
            for object in removed { totals.remove(object.state) }
        }
        return removed.map { $0.evicted }
    }
}

/// One object that goes, with what is needed to count it out.
private struct RemovedObject: Sendable {
    let evicted: EvictedObject
    let state: StoredObject
}

/// One run over the least recently used roots.
private struct Eviction {
    /// Roots looked at per query.
    private static let page = 64

    private let connection: Connection
    private let request: EvictionRequest
    /// In wall seconds.
    private let now: Int64
    private var removed: [RemovedObject] = []
    private var freed: Int64 = 0
    /// All whose names are gone, stored or not.
    private(set) var forgotten: [Digest] = []
    /// Hosted parts of the image looked at: they stay, on their own.
    private var held: [Digest] = []

    init(_ connection: Connection, _ request: EvictionRequest, _ now: Int64) {
        self.connection = connection
        self.request = request
        self.now = now
    }

    mutating func run(_ claim: ([Digest]) -> Bool) throws(IndexError) -> [RemovedObject] {
        let kept = try keptRoots()
        var last: (used: Int64, digest: Digest?) = (-1, nil)
        while true {
            let roots = try oldestRoots(after: last)
            for root in roots {
                if isDone { return removed }
                last = (root.used, root.digest)
                if !kept.contains(root.digest) { try consider(root.digest, root.used, claim) }
            }
            if roots.count < Self.page { return removed }
        }
    }

    private var isDone: Bool {
        freed >= request.bytes || removed.count >= request.objectsMax
    }

    private func keptRoots() throws(IndexError) -> Set<Digest> {
        var kept: Set<Digest> = []
        for digest in request.kept + (try pinned()) {
            let row = try connection.statement(.rootsAbove)
            row.bind(1, digest)
            while try row.step() {
                if let root = row.digest(0) { kept.insert(root) }
            }
        }
        return kept
    }

    private func pinned() throws(IndexError) -> [Digest] {
        let row = try connection.statement(.pinnedDigests)
        row.bind(1, now)
        var digests: [Digest] = []
        while try row.step() {
            if let digest = row.digest(0) { digests.append(digest) }
        }
        return digests
    }

    private func oldestRoots(
        after last: (used: Int64, digest: Digest?)
    ) throws(IndexError) -> [(digest: Digest, used: Int64)] {
        let row = try connection.statement(.oldestRoots)
        row.bind(1, last.used)
        if let digest = last.digest { row.bind(2, digest) } else { row.bind(2, [UInt8]()) }
        row.bind(3, Int64(Self.page))
        var roots: [(digest: Digest, used: Int64)] = []
        while try row.step() {
            if let digest = row.digest(0) { roots.append((digest, row.integer(1))) }
        }
        return roots
    }

    private mutating func consider(
        _ root: Digest, _ used: Int64, _ claim: ([Digest]) -> Bool
    ) throws(IndexError) {
        let (stored, unlinked) = try image(of: root)
        guard claim(stored) else { return }
        for digest in stored {
            guard let state = try connection.blobState(digest) else { continue }
            try remove(digest, state)
            freed += state.disk
            let evicted = EvictedObject(digest: digest, disk: state.disk, lastUsed: used)
            removed.append(RemovedObject(evicted: evicted, state: state))
        }
        for digest in unlinked { try connection.run(.deleteLinks, digest) }
        for digest in held { try connection.makeRoot(digest, used) }
        forgotten += stored + unlinked
    }

    /// What goes with `root`: stored objects that no stored manifest outside of them names, and
    /// names of objects that are not stored at all.
    ///
    /// What is hosted keeps its names, stored or lost: it may be pushed again.
    private mutating func image(
        of root: Digest
    ) throws(IndexError) -> (stored: [Digest], unstored: [Digest]) {
        held = []
        var stored = [root]
        var leaving: Set<Digest> = [root]
        var unstored: Set<Digest> = []
        var next = 0
        while next < stored.count {
            for child in try connection.storedChildren(of: stored[next]) {
                // Asked again at each of its parents: the last one to leave decides.
                guard !leaving.contains(child.digest), try isOnly(leaving, naming: child.digest)
                else { continue }
                if child.isHeld {
                    held.append(child.digest)
                    continue
                }
                if child.disk == nil {
                    unstored.insert(child.digest)
                } else {
                    leaving.insert(child.digest)
                    stored.append(child.digest)
                }
            }
            next += 1
        }
        return (stored, Array(unstored))
    }

    private func isOnly(
        _ leaving: Set<Digest>, naming child: Digest
    ) throws(IndexError) -> Bool {
        let row = try connection.statement(.parents)
        row.bind(1, child)
        while try row.step() {
            guard let parent = row.digest(0), leaving.contains(parent) else { return false }
        }
        return true
    }

    private func remove(_ digest: Digest, _ state: StoredObject) throws(IndexError) {
        if state.isManifest {
            try connection.run(.deleteChildren, digest)
            try connection.run(.deleteManifest, digest)
        }
        try connection.run(.deleteTagsTo, digest)
        try connection.run(.deleteLinks, digest)
        try connection.run(.deleteBlob, digest)
        try connection.insertPending(digest, disk: state.disk, doomed: true)
    }
}

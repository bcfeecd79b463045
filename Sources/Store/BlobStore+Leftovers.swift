import Glibc
import Index
import Linux
package import OCI
import Reactor

/// Going on with what an earlier run began to fetch.
extension BlobStore {
    /// How many bytes of `digest` an earlier run left, for a writer that goes on after them; nil if
    /// there are none.
    package func leftover(of digest: Digest) -> Int64? {
        leftovers[digest].flatMap { $0.usable > 0 ? $0.usable : nil }
    }

    /// Removes what an earlier run left of `digest`: it is of no use.
    package func dropLeftover(of digest: Digest) async {
        guard let leftover = leftovers.take(digest) else { return }
        await drop([leftover])
    }

    /// Removes leftovers that were taken out of the table.
    func drop(_ dropped: [Leftovers.Leftover]) async {
        guard !dropped.isEmpty else { return }
        let removed = try? await run { layout throws(Errno) in
            dropped.map { (try? layout.unlinkGrowing($0.name)) != nil }
        }
        var settled: [Digest] = []
        for (leftover, isRemoved) in zip(dropped, removed ?? dropped.map { _ in false }) {
            ledger.noteLeftover(-leftover.disk, isUnlinked: isRemoved)
            if isRemoved {
                settled.append(leftover.name.digest)
            } else {
                // Still there, and still counted, until the next start looks at it again.
                ledger.noteStray(leftover.name.digest, disk: leftover.disk)
            }
        }
        await settleUnwritten(settled)
    }

    /// Drops leftovers, oldest first, until `bytes` fit.
    func dropLeftovers(for bytes: Int64) async {
        while ledger.shortfall(for: bytes) > 0, let oldest = leftovers.takeOldest() {
            await drop([oldest])
        }
    }

    /// Drops leftovers that nobody came back for in time.
    func expireLeftovers() async {
        await drop(leftovers.take(writtenBefore: clock.wallSeconds - Leftovers.ageMax))
    }

    /// Looks at a growing file that nobody writes; true if it is kept to be gone on with.
    ///
    /// Else it is removed. Blocks.
    func takeIn(_ name: GrowingName) throws(Errno) -> Bool {
        guard let found = try layout.leftover(name) else { return false }
        let isUseful =
            found.usable > 0 && found.writtenAt >= clock.wallSeconds - Leftovers.ageMax
            && (try? index.blob(name.digest)) == .some(nil) && !files.isWritten(name.digest)
        var dropped: Leftovers.Leftover? = found
        if isUseful {
            dropped = leftovers.add(found)
            ledger.noteLeftover(found.disk - (dropped?.disk ?? 0), isUnlinked: false)
        }
        if let dropped { try layout.unlinkGrowing(dropped.name) }
        return dropped?.name != name
    }

    /// What a writer that gives up has written, counted apart from its reservation; nil if that is
    /// not worth keeping.
    func count(left name: GrowingName) async -> Leftovers.Leftover? {
        let found = try? await run { layout throws(Errno) in try layout.leftover(name) }
        guard let found = found ?? nil, found.usable > 0 else { return nil }
        ledger.noteLeftover(found.disk, isUnlinked: false)
        return found
    }

    /// Keeps what was counted, to be gone on with, once its writer has ended.
    func keep(_ left: Leftovers.Leftover) async {
        guard let other = leftovers.add(left) else { return }
        if leftovers[left.name.digest]?.name == other.name {
            // Found meanwhile by who looks at all files.
            ledger.noteLeftover(-other.disk, isUnlinked: false)
        } else {
            await drop([other])
        }
    }

    /// A growing file that came to light only now: a power cut took its row from the index.
    func takeInLate(_ name: GrowingName) async {
        await gate.enter()
        defer { gate.leave() }
        guard !files.isGrowing(name), leftovers[name.digest]?.name != name else { return }
        do throws(StoreError) {
            let isKept = try await run { [self] _ throws(Errno) in try takeIn(name) }
            if !isKept { report(.removedStray(name: name.description)) }
            try await announceLeftovers()
        } catch {
            if case .io(let errno) = error { report(.failed(errno)) }
        }
    }

    /// Says in the index which leftovers there are, for the next start to find them.
    func announceLeftovers() async throws(StoreError) {
        let known = Set(((try? index.pending()) ?? []).map(\.digest))
        for leftover in leftovers.all where !known.contains(leftover.name.digest) {
            try await indexed { index throws(IndexError) in
                try await index.announce(leftover.name.digest, disk: leftover.disk)
            }
        }
    }

    /// Whether there may be a file of `digest` that is no blob yet.
    func isUnfinished(_ digest: Digest) -> Bool {
        files.isWritten(digest) || leftovers[digest] != nil
    }
}

import Glibc
package import Index
import Linux
package import OCI
import Reactor

/// Making room: reserve, and evict whole images until the reservation fits.
extension BlobStore {
    /// How long what the file system said is believed; reservations count on top of it.
    private static let fileSystemAge = Duration.seconds(1)
    /// Evictions go on to this part of the limit, so that not every fetch has to evict (DUR-6).
    private static let lowMark = 0.9

    /// Makes a writer after reserving for `size` bytes, or a first step if that is unknown.
    ///
    /// Evicts if needed; `.full` if that does not help. `digest`'s own image is never evicted for
    /// it, nor is anything being read or written. With `continues` what an earlier run left is gone
    /// on with, see `BlobWriter.leftover`; without, it is dropped.
    package func writer(
        for digest: Digest, size: Int64?, continues: Bool = false
    ) async throws(StoreError) -> BlobWriter {
        if !continues { await dropLeftover(of: digest) }
        let held = leftovers[digest]?.size ?? 0
        let expected = size ?? held.addingReportingOverflow(BlobWriter.firstStep).partialValue
        guard let bytes = SpaceLedger.charge(for: expected) else { throw StoreError.full }
        await refreshFileSystem(force: false)
        await gate.enter()
        defer { gate.leave() }
        let leftover = takeOver(digest)
        do throws(StoreError) {
            let reservation: Reservation
            if let taken = ledger.tryReserve(bytes) {
                reservation = taken
            } else {
                reservation = try await makeRoom(for: bytes, keeping: digest)
            }
            return try await makeWriter(digest, size, leftover, reservation)
        } catch {
            if let leftover {
                ledger.noteLeftover(leftover.disk, isUnlinked: false)
                files.removeGrowing(leftover.name)
                await drop([leftover])
            }
            throw error
        }
    }

    /// The leftover of `digest`, which counts as written from now on.
    private func takeOver(_ digest: Digest) -> Leftovers.Leftover? {
        guard let found = leftovers[digest] else { return nil }
        // First this: what looks for leftovers knows it by one or the other.
        files.addGrowing(found.name)
        guard let leftover = leftovers.take(digest) else {
            files.removeGrowing(found.name)
            return nil
        }
        ledger.noteLeftover(-leftover.disk, isUnlinked: false)
        return leftover
    }

    private func makeWriter(
        _ digest: Digest, _ size: Int64?, _ leftover: Leftovers.Leftover?,
        _ reservation: Reservation
    ) async throws(StoreError) -> BlobWriter {
        files.addWriter(digest)
        do throws(StoreError) {
            // Before the file: whatever happens to this process, the next one finds it (DUR-5).
            try await indexed { index throws(IndexError) in
                try await index.announce(digest, disk: reservation.bytes)
            }
            return try await run { [self] layout throws(Errno) in
                let (name, file) = try openGrowing(leftover, digest, size)
                let usable = leftover?.usable ?? 0
                reservation.noteWritten(upTo: usable)
                if try preallocate(file.fd, size, name) {
                    reservation.noteWritten(upTo: size ?? 0)
                }
                return BlobWriter(self, name, file, size, reservation, leftover: usable)
            }
        } catch {
            files.removeWriter(digest)
            await settleUnwritten([digest])
            throw error
        }
    }

    /// Makes a growing file under a name that no leftover has.
    private func makeGrowing(
        _ digest: Digest, _ size: Int64?
    ) throws(Errno) -> (GrowingName, GrowingFile) {
        while true {
            let name = GrowingName(digest, layout.nextNumber())
            // Known before it is there: what looks for leftovers leaves it alone.
            files.addGrowing(name)
            do throws(Errno) {
                let descriptor = try layout.createGrowing(name)
                return (name, GrowingFile(growing: descriptor, total: size))
            } catch {
                files.removeGrowing(name)
                if error.code != EEXIST { throw error }
            }
        }
    }

    private func openGrowing(
        _ leftover: Leftovers.Leftover?, _ digest: Digest, _ size: Int64?
    ) throws(Errno) -> (GrowingName, GrowingFile) {
        guard let leftover else { return try makeGrowing(digest, size) }
        let descriptor = try layout.openLeftover(leftover.name, usable: leftover.usable)
        return (leftover.name, GrowingFile(growing: descriptor, total: size))
    }

    /// Makes the file system keep its word too; false where it cannot, so that writing finds out.
    ///
    /// No ENOSPC half-way then, and nothing taken ahead of what is written, as XFS would.
    private func preallocate(
        _ fd: Int32, _ size: Int64?, _ name: GrowingName
    ) throws(Errno) -> Bool {
        guard let size, size > 0 else { return false }
        do throws(Errno) {
            try System.preallocate(fd, size)
            return true
        } catch {
            guard error.isNoSpace else { return false }
            try layout.unlinkGrowing(name)
            files.removeGrowing(name)
            throw error
        }
    }

    /// Says that there are no files of `digests` without a row, but for those being written.
    ///
    /// Asked on the index thread: whoever begins to write later announces it after that.
    func settleUnwritten(_ digests: [Digest]) async {
        guard !digests.isEmpty else { return }
        // Rows that stay are looked at by the next start.
        try? await index.settle(digests) { !self.isUnfinished($0) }
    }

    /// Adds `bytes` to a reservation, evicting if needed.
    func grow(
        _ reservation: Reservation, by bytes: Int64, for digest: Digest?
    ) async throws(StoreError) {
        await refreshFileSystem(force: false)
        await gate.enter()
        defer { gate.leave() }
        if ledger.tryGrow(reservation, by: bytes) { return }
        let more = try await makeRoom(for: bytes, keeping: digest)
        reservation.absorb(more)
    }

    /// Runs index work that adds up to so many `rows` no writer has reserved for.
    ///
    /// The index grows by it, so it is evicted for if needed; `.full` if that does not help.
    package func indexed<T: Sendable>(
        adding rows: Int, _ body: (ContentIndex) async throws(IndexError) -> T
    ) async throws(StoreError) -> T {
        let reservation = try await reserve(SpaceLedger.charge(forRows: rows))
        defer { reservation.release() }
        return try await indexed(body)
    }

    func reserve(_ bytes: Int64) async throws(StoreError) -> Reservation {
        if let taken = ledger.tryReserve(bytes) { return taken }
        await gate.enter()
        defer { gate.leave() }
        return try await makeRoom(for: bytes, keeping: nil)
    }

    /// Runs `body` while no eviction begins to take `digest`, be it stored already or by `body`.
    ///
    /// For what a client has sent, or was found here, until it is linked: nothing else keeps it.
    package func holding<T, Failure: Error>(
        _ digest: Digest, _ body: () async throws(Failure) -> T
    ) async throws(Failure) -> T {
        files.hold(digest)
        defer { files.letGo(digest) }
        return try await body()
    }

    /// Brings the store below its limit, after that was lowered.
    package func trim() async {
        await gate.enter()
        defer { gate.leave() }
        guard ledger.shortfall(for: 0) > 0 else { return }
        // Nothing more to evict: reservations will say so.
        _ = try? await makeRoom(for: 0, keeping: nil)
    }

    /// Evicts until `bytes` are reserved.
    ///
    /// The caller has passed the gate: nobody else takes what is freed here.
    private func makeRoom(
        for bytes: Int64, keeping digest: Digest?
    ) async throws(StoreError) -> Reservation {
        await refreshFileSystem(force: true)
        await dropLeftovers(for: bytes)
        await flushRecency()
        let own = digest.map { [$0] } ?? []
        // An image too large for the store must not cost all others before that shows.
        let held = try await indexed { index throws(IndexError) in
            try index.disk(ofImagesWith: own) + index.heldDisk()
        }
        guard ledger.couldEverFit(bytes, beside: held) else { throw StoreError.full }
        // First without images that are still being fetched, then with them.
        for kept in [own + files.written, own] {
            while true {
                if let taken = ledger.tryReserve(bytes) { return taken }
                if ledger.shortfall(for: bytes) == 0, let time = ledger.coolingTime, let loop {
                    await loop.pause(for: time)
                    continue
                }
                let part = kept.count > own.count || files.written.isEmpty ? Self.lowMark : 1
                let shortfall = ledger.shortfall(for: bytes, below: part)
                guard try await evict(shortfall, keeping: kept) else { break }
            }
        }
        throw StoreError.full
    }

    /// How long the space of unlinked files is kept back in a store of `blobs`: longer than it
    /// takes to add all of them up.
    static func coolingTime(_ blobs: Int) -> Duration {
        .microseconds(min(100_000 + blobs * 10, 1_000_000))
    }

    /// Evicts up to a batch; false if nothing could go.
    private func evict(_ bytes: Int64, keeping kept: [Digest]) async throws(StoreError) -> Bool {
        let files = self.files
        let claimed = ClaimedDigests()
        let victims: [EvictedObject]
        do throws(IndexError) {
            victims = try await index.evict(EvictionRequest(bytes: bytes, kept: kept)) { digests in
                guard files.claim(digests) else { return false }
                claimed.add(digests)
                return true
            }
        } catch {
            files.unclaim(claimed.all)
            throw StoreError(error)
        }
        defer { files.unclaim(claimed.all) }
        if victims.isEmpty { return false }
        let freed = try await unlink(victims)
        let newest = victims.map(\.lastUsed).max() ?? 0
        report(
            .evicted(
                objects: victims.count, bytes: freed,
                idleSeconds: marks.idleSeconds(since: newest)))
        return freed > 0
    }

    /// Unlinks evicted files; only then their space is free.
    private func unlink(_ victims: [EvictedObject]) async throws(StoreError) -> Int64 {
        let unlinked = try await run { layout throws(Errno) in
            victims.map { victim in
                do throws(Errno) {
                    try layout.unlink(victim.digest)
                    return Errno?.none
                } catch {
                    return error
                }
            }
        }
        var freed: Int64 = 0
        var settled: [Digest] = []
        for (victim, error) in zip(victims, unlinked) {
            ledger.commit(-victim.disk)
            if let error, !error.isMissing {
                // Still there, and still counted, until the next start looks at it again.
                ledger.noteStray(victim.digest, disk: victim.disk)
                report(.failed(error))
            } else {
                freed += victim.disk
                settled.append(victim.digest)
            }
        }
        // Rows that stay pending are looked at again at the next start.
        try? await index.settle(settled)
        return freed
    }

    private func refreshFileSystem(force: Bool) async {
        guard force || ledger.isStale(at: clock.now, after: Self.fileSystemAge) else { return }
        guard let found = try? await run({ layout throws(Errno) in try layout.fileSystem() })
        else { return }
        ledger.noteFileSystem(available: found.available, at: clock.now)
    }
}

extension Errno {
    /// Whether what was named is not there.
    var isMissing: Bool { code == ENOENT }
}

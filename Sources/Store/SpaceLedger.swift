package import OCI
package import Reactor
import Synchronization

/// Who holds how much of the disk; nobody writes a byte that is not in here first.
///
/// What is counted is what `du` of the root counts: blobs and growing files in blocks, directories,
/// strays, and the index with its allowance (`ContentIndex.footprint`). The sum never exceeds
/// `max_size`, and what is promised but not written yet never eats into `min_free`.
package final class SpaceLedger: Sendable {
    /// Added to each growing file until it is measured: a new shard directory and its parent's
    /// growth (4 KiB each), and its rows in the index.
    static let overheadBytes: Int64 = 16 << 10
    /// A row, its entries in other trees, and its line in the names journal, twice.
    private static let rowBytes: Int64 = 1024
    /// No file is larger (RES-2 says 64 GiB; this only keeps the arithmetic from overflowing).
    static let fileBytesMax: Int64 = 1 << 50
    private static let blockBytes: Int64 = 4096

    private struct State {
        var maxSize: Int64
        var minFree: Int64
        /// What `maxSize` becomes when the file system has too little left.
        var freeCapacity: Int64 = .max
        var measuredAt: Instant?
        var available: Int64 = 0
        var committed: Int64 = 0
        var directories: Int64 = 0
        var others: Int64 = 0
        var strays: [Digest: Int64] = [:]
        var straysBytes: Int64 = 0
        var leftovers: Int64 = 0
        var reserved: Int64 = 0
        var unwritten: Int64 = 0
        /// Unlinked a moment ago, oldest first.
        var cooling: [(bytes: Int64, until: Instant)] = []
        var coolingBytes: Int64 = 0

        /// Without what was unlinked a moment ago.
        var used: Int64 {
            committed + directories + others + straysBytes + leftovers + reserved
        }
        var capacity: Int64 { min(maxSize, freeCapacity) }
    }

    /// How long the space of unlinked files is kept back.
    package struct Cooling: Sendable {
        package let clock: LoopClock
        package let time: @Sendable () -> Duration
    }

    private let footprint: @Sendable () -> Int64
    private let cooling: Cooling?
    private let state: Mutex<State>

    /// `footprint` is asked for what the index takes, each time it matters.
    package init(
        maxSize: Int64, minFree: Int64, cooling: Cooling? = nil,
        footprint: @escaping @Sendable () -> Int64
    ) {
        self.footprint = footprint
        self.cooling = cooling
        state = Mutex(State(maxSize: maxSize, minFree: minFree))
    }

    /// What a file of `size` bytes may take while it is written; nil for impossible sizes.
    ///
    /// Whole blocks, one in a thousand for the file system's own trees, and the fixed overhead.
    package static func charge(for size: Int64) -> Int64? {
        guard size >= 0, size <= fileBytesMax else { return nil }
        let blocks = (size + blockBytes - 1) / blockBytes
        return blocks * blockBytes + size / 1024 + overheadBytes
    }

    /// What so many rows may add to the index and its journal, in bytes.
    static func charge(forRows rows: Int) -> Int64 {
        overheadBytes + Int64(rows) * rowBytes
    }

    // MARK: - Reservations

    /// Takes `bytes` if they fit now; nil, and nothing taken, if not.
    package func tryReserve(_ bytes: Int64) -> Reservation? {
        guard take(bytes) else { return nil }
        return Reservation(self, bytes)
    }

    /// Adds `bytes` to a reservation if they fit now.
    package func tryGrow(_ reservation: Reservation, by bytes: Int64) -> Bool {
        guard take(bytes) else { return false }
        reservation.grown(by: bytes)
        return true
    }

    private func take(_ bytes: Int64) -> Bool {
        let index = footprint()
        let now = cooling?.clock.now
        return state.withLock { state in
            Self.cool(&state, at: now)
            let used = state.used + state.coolingBytes + index
            let (wanted, overflow) = bytes.addingReportingOverflow(used)
            guard bytes >= 0, !overflow, wanted <= state.capacity else { return false }
            state.reserved += bytes
            state.unwritten += bytes
            return true
        }
    }

    /// Counts what is on disk already and will be gone when nobody holds the result any more.
    func hold(_ bytes: Int64) -> Reservation {
        state.withLock { $0.reserved += bytes }
        return Reservation(self, bytes, written: bytes)
    }

    /// How much must go before `bytes` fit below `part` of the limit; 0 if they do.
    package func shortfall(for bytes: Int64, below part: Double = 1) -> Int64 {
        let index = footprint()
        return state.withLock { state in
            let limit = part >= 1 ? state.capacity : Int64(Double(state.capacity) * part)
            let (wanted, overflow) = bytes.addingReportingOverflow(state.used + index)
            return overflow ? .max : max(0, wanted - limit)
        }
    }

    /// Whether `bytes` could fit if everything went but `held`, which is stored and has to stay.
    package func couldEverFit(_ bytes: Int64, beside held: Int64) -> Bool {
        let index = footprint()
        return state.withLock { state in
            let rest = state.capacity - state.directories - state.others - index
            return bytes <= rest - state.reserved - held
        }
    }

    func release(_ bytes: Int64, unwritten: Int64) {
        state.withLock {
            $0.reserved -= bytes
            $0.unwritten -= unwritten
        }
    }

    // MARK: - Space that is free but not given out yet

    /// Keeps space of an unlinked file back for a while.
    ///
    /// Who adds up the store's files (`du`) may have seen that file, and will see the one that
    /// takes its place: the sum must not be over the limit all the same.
    private func keepBack(_ bytes: Int64, _ state: inout State, _ cooling: Cooling) {
        guard bytes > 0 else { return }
        state.cooling.append((bytes, cooling.clock.now + cooling.time()))
        state.coolingBytes += bytes
    }

    private static func cool(_ state: inout State, at now: Instant?) {
        guard let now, let first = state.cooling.first, first.until <= now else { return }
        let warm = state.cooling.firstIndex { $0.until > now } ?? state.cooling.count
        state.coolingBytes -= state.cooling[..<warm].reduce(0) { $0 + $1.bytes }
        state.cooling.removeFirst(warm)
    }

    /// How long it takes until more can be reserved without evicting; nil if it never will.
    package var coolingTime: Duration? {
        guard let now = cooling?.clock.now else { return nil }
        return state.withLock { state in state.cooling.first.map { max(.zero, $0.until - now) } }
    }

    /// Says that a growing file of up to `bytes` was unlinked, before its reservation is released.
    func noteUnlinked(_ bytes: Int64) {
        guard let cooling else { return }
        state.withLock { keepBack(bytes, &$0, cooling) }
    }

    func noteWritten(_ bytes: Int64) {
        state.withLock { $0.unwritten -= bytes }
    }

    // MARK: - What is on disk

    /// Counts published files in (positive) or unlinked ones out (negative).
    package func commit(_ disk: Int64) {
        state.withLock { state in
            state.committed += disk
            if disk < 0, let cooling { keepBack(-disk, &state, cooling) }
        }
    }

    package func setDirectories(_ disk: Int64) {
        state.withLock { $0.directories = disk }
    }

    /// Counts what else lies in the root: a set-aside index, foreign files.
    package func setOthers(_ disk: Int64) {
        state.withLock { $0.others = disk }
    }

    /// Counts growing files of an earlier run in, or out (negative).
    func noteLeftover(_ disk: Int64, isUnlinked: Bool) {
        state.withLock { state in
            state.leftovers += disk
            if isUnlinked, let cooling { keepBack(-disk, &state, cooling) }
        }
    }

    /// Counts a file that the index does not know, until it is settled.
    package func noteStray(_ digest: Digest, disk: Int64) {
        state.withLock {
            $0.straysBytes += disk - ($0.strays.updateValue(disk, forKey: digest) ?? 0)
        }
    }

    /// Whether there is a file of `digest` that the index does not know yet.
    package func isStray(_ digest: Digest) -> Bool { state.withLock { $0.strays[digest] != nil } }

    /// A stray is known or gone now.
    package func settleStray(_ digest: Digest) {
        state.withLock { $0.straysBytes -= $0.strays.removeValue(forKey: digest) ?? 0 }
    }

    // MARK: - Limits

    package func setLimits(maxSize: Int64, minFree: Int64) {
        state.withLock {
            $0.maxSize = maxSize
            $0.minFree = minFree
            $0.measuredAt = nil
        }
    }

    /// Takes in what the file system has left for us at `now`.
    package func noteFileSystem(available: Int64, at now: Instant) {
        let index = footprint()
        state.withLock { state in
            state.available = available
            state.measuredAt = now
            state.freeCapacity =
                state.used + index + available - state.minFree - state.unwritten
        }
    }

    /// Whether the file system was not looked at for `age`.
    package func isStale(at now: Instant, after age: Duration) -> Bool {
        state.withLock { state in
            guard let measuredAt = state.measuredAt else { return true }
            return now - measuredAt >= age
        }
    }

    /// A consistent view of the sums.
    package var snapshot: Snapshot {
        let index = footprint()
        return state.withLock {
            Snapshot(
                used: $0.used + index, limit: $0.capacity, reserved: $0.reserved,
                available: $0.available, committed: $0.committed)
        }
    }

    /// The sums at one moment, in bytes.
    package struct Snapshot: Sendable, Equatable {
        package let used: Int64
        package let limit: Int64
        package let reserved: Int64
        package let available: Int64
        package let committed: Int64
    }
}

/// Space that is set aside for one growing file; given back when nobody holds it any more.
package final class Reservation: Sendable {
    private let ledger: SpaceLedger
    private let state: Mutex<(bytes: Int64, written: Int64)>

    fileprivate init(_ ledger: SpaceLedger, _ bytes: Int64, written: Int64 = 0) {
        self.ledger = ledger
        state = Mutex((bytes, written))
    }

    deinit {
        release()
    }

    /// What is set aside, in bytes.
    package var bytes: Int64 { state.withLock { $0.bytes } }

    /// How much of it is on the file system's account, in bytes.
    var written: Int64 { state.withLock { $0.written } }

    fileprivate func grown(by bytes: Int64) {
        state.withLock { $0.bytes += bytes }
    }

    /// Takes over what another reservation holds.
    func absorb(_ other: Reservation) {
        let taken = other.state.withLock { theirs in
            defer { theirs = (0, 0) }
            return theirs
        }
        state.withLock {
            $0.bytes += taken.bytes
            $0.written += taken.written
        }
    }

    /// Says that `written` bytes of the file are on the file system's account now.
    package func noteWritten(upTo written: Int64) {
        state.withLock { state in
            let now = min(max(written, state.written), state.bytes)
            ledger.noteWritten(now - state.written)
            state.written = now
        }
    }

    /// Gives everything back; later calls do nothing.
    package func release() {
        state.withLock { state in
            ledger.release(state.bytes, unwritten: state.bytes - state.written)
            state = (0, 0)
        }
    }
}

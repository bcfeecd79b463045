import OCI
import Reactor
import Synchronization

/// The files that are open now, and which digests are being written or given up.
///
/// Every file that was handed out stays in here until nobody else holds it, so that an eviction
/// knows what is in use; of those that nobody uses, at most `idleMax` are kept open. Whose turn it
/// is to be closed goes round, and those that were used since the last time get a second chance.
final class OpenFiles: Sendable {
    private struct State {
        var files: [Digest: OpenFile] = [:]
        /// Still being sent, but not to be handed out any more.
        var retired: [Digest: [WeakFile]] = [:]
        var retiredMax = OpenFiles.retiredMin
        /// All of `files`, in no order.
        var ring: [OpenFile] = []
        /// Whose turn it is to be closed.
        var hand = 0
        var writers: [Digest: Int] = [:]
        /// What somebody is about to link.
        var held: [Digest: Int] = [:]
        /// What the writers write.
        var growing: Set<GrowingName> = []
        var doomed: Set<Digest> = []
        /// Counts evictions, so that somebody who looked before one knows to look again.
        var epoch: UInt64 = 0
    }

    private struct WeakFile {
        weak let file: GrowingFile?
    }

    /// Above this many, those that nobody reads any more are cleared away.
    private static let retiredMin = 64

    /// How many files in use are passed over, at most, to find one to close.
    private static let searchMax = 16

    private let idleMax: Int
    private let state = Mutex(State())

    init(idleMax: Int) {
        self.idleMax = max(idleMax, 1)
    }

    var count: Int { state.withLock { $0.files.count } }
    var epoch: UInt64 { state.withLock { $0.epoch } }

    /// The open file of `digest`, which thereby counts as used.
    func file(_ digest: Digest) -> GrowingFile? { open(digest)?.file }

    /// Its place, and the file, which is there while the place is.
    func open(_ digest: Digest) -> (place: OpenFile, file: GrowingFile)? {
        state.withLock { state in
            guard let place = state.files[digest], let file = place.file else { return nil }
            place.wasUsed = true
            return (place, file)
        }
    }

    /// Keeps a file that was opened after `epoch` was read, and gives the one to use.
    ///
    /// An earlier one if somebody was faster; nil if an eviction came in between, so that the
    /// caller looks again.
    func insert(
        _ file: GrowingFile, as digest: Digest, since epoch: UInt64
    ) -> (place: OpenFile, file: GrowingFile)? {
        var closing: [GrowingFile] = []
        let kept = state.withLock { state -> (OpenFile, GrowingFile)? in
            guard state.epoch == epoch, !state.doomed.contains(digest) else { return nil }
            return Self.keep(file, digest, &state, idleMax, &closing)
        }
        closing.removeAll()
        return kept
    }

    /// Protects what is still read of a file that is handed out no more, and knows when nobody
    /// holds it.
    func retire(_ file: GrowingFile, _ digest: Digest) {
        state.withLock { Self.retire(file, digest, &$0) }
    }

    private static func retire(_ file: GrowingFile, _ digest: Digest, _ state: inout State) {
        state.retired[digest, default: []].append(WeakFile(file: file))
        guard state.retired.count > state.retiredMax else { return }
        state.retired = state.retired.filter { $0.value.contains { $0.file != nil } }
        state.retiredMax = max(retiredMin, 2 * state.retired.count)
    }

    private static func keep(
        _ file: GrowingFile, _ digest: Digest, _ state: inout State, _ idleMax: Int,
        _ closing: inout [GrowingFile]
    ) -> (OpenFile, GrowingFile) {
        let place = OpenFile(file, digest)
        if let place = state.files.updateValue(place, forKey: digest), let earlier = place.file {
            // Somebody was faster.
            state.files[digest] = place
            place.wasUsed = true
            return (place, earlier)
        }
        var passed = 0
        while state.ring.count >= idleMax, passed < searchMax {
            if state.hand >= state.ring.count { state.hand = 0 }
            let place = state.ring[state.hand]
            if !(place.wasUsed && passed < searchMax / 2), isIdle(place, &state) {
                // Closed by the caller, outside of the lock.
                if let closed = remove(place, &state) { closing.append(closed) }
            } else {
                place.wasUsed = false
                passed += 1
            }
            // Who has taken the position of one that was removed came last and has time.
            state.hand += 1
        }
        place.position = state.ring.count
        state.ring.append(place)
        return (place, file)
    }

    private static func remove(_ digest: Digest, _ state: inout State) -> GrowingFile? {
        state.files[digest].flatMap { remove($0, &state) }
    }

    private static func remove(_ place: OpenFile, _ state: inout State) -> GrowingFile? {
        state.files[place.digest] = nil
        let last = state.ring.removeLast()
        if last !== place {
            last.position = place.position
            state.ring[place.position] = last
        }
        defer { place.file = nil }
        return place.file
    }

    private static func isIdle(_ digest: Digest, _ state: inout State) -> Bool {
        if let place = state.files[digest] { return isIdle(place, &state) }
        return !isRetired(digest, &state)
    }

    /// Whether nobody but this table holds the file, and no body is being sent from it.
    private static func isIdle(_ place: OpenFile, _ state: inout State) -> Bool {
        guard !isRetired(place.digest, &state), isKnownUniquelyReferenced(&place.file) else {
            return false
        }
        return place.file?.readers == 0
    }

    /// Whether somebody still holds an earlier file of `digest`.
    private static func isRetired(_ digest: Digest, _ state: inout State) -> Bool {
        guard !state.retired.isEmpty, let retired = state.retired[digest] else { return false }
        if retired.contains(where: { $0.file != nil }) { return true }
        state.retired[digest] = nil
        return false
    }

    // MARK: - Writers and evictions

    func addWriter(_ digest: Digest) {
        state.withLock { $0.writers[digest, default: 0] += 1 }
    }

    func removeWriter(_ digest: Digest) {
        state.withLock { state in
            guard let count = state.writers[digest] else { return }
            state.writers[digest] = count > 1 ? count - 1 : nil
        }
    }

    func isWritten(_ digest: Digest) -> Bool { state.withLock { $0.writers[digest] != nil } }

    /// Whether there is one writer of `digest` and no more.
    func isWrittenOnce(_ digest: Digest) -> Bool { state.withLock { $0.writers[digest] == 1 } }

    func hold(_ digest: Digest) { state.withLock { $0.held[digest, default: 0] += 1 } }

    func letGo(_ digest: Digest) {
        state.withLock { state in
            guard let count = state.held[digest] else { return }
            state.held[digest] = count > 1 ? count - 1 : nil
        }
    }

    func addGrowing(_ name: GrowingName) {
        state.withLock { _ = $0.growing.insert(name) }
    }

    func removeGrowing(_ name: GrowingName) {
        state.withLock { _ = $0.growing.remove(name) }
    }

    /// Whether a file is being written, and is no leftover.
    func isGrowing(_ name: GrowingName) -> Bool { state.withLock { $0.growing.contains(name) } }

    var growing: [GrowingName] { state.withLock { Array($0.growing) } }

    /// Whether anything is being written, or a body sent.
    var isInUse: Bool {
        state.withLock { state in
            !state.writers.isEmpty || state.files.values.contains { ($0.file?.readers ?? 0) > 0 }
                || state.retired.values.joined().contains {
                    $0.file.map { $0.readers > 0 } ?? false
                }
        }
    }

    var written: [Digest] { state.withLock { Array($0.writers.keys) } }

    /// Marks all of `digests` as given up and closes their files; false, and nothing done, if one
    /// of them is being read or written, or held.
    func claim(_ digests: [Digest]) -> Bool {
        var closing: [GrowingFile] = []
        let claimed = state.withLock { state -> Bool in
            for digest in digests {
                guard state.writers[digest] == nil, state.held[digest] == nil,
                    Self.isIdle(digest, &state)
                else { return false }
            }
            for digest in digests {
                if let file = Self.remove(digest, &state) { closing.append(file) }
                state.doomed.insert(digest)
            }
            state.epoch &+= 1
            return true
        }
        closing.removeAll()
        return claimed
    }

    /// The files of `digests` are unlinked, or stay after all.
    func unclaim(_ digests: [Digest]) {
        state.withLock { state in
            for digest in digests { state.doomed.remove(digest) }
            state.epoch &+= 1
        }
    }

    /// Hands out an open file no more, unless another one took its place meanwhile; nil stands for
    /// any.
    func drop(_ digest: Digest, _ file: GrowingFile? = nil) {
        let dropped = state.withLock { state -> GrowingFile? in
            if let file, state.files[digest]?.file !== file { return nil }
            state.epoch &+= 1
            let dropped = Self.remove(digest, &state)
            if let dropped { Self.retire(dropped, digest, &state) }
            return dropped
        }
        // Closed, if nobody holds it, outside of the lock.
        _ = dropped
    }
}

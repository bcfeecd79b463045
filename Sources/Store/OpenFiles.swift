import OCI
import Reactor
import Synchronization

/// The files that are open now, and which digests are being written or given up.
///
/// Every file that was handed out stays in here until nobody else holds it, so that an eviction
/// knows what is in use; of those that nobody uses, at most `idleMax` are kept open: those that
/// were used since one was looked for to be closed get a second chance.
final class OpenFiles: Sendable {
    private struct State {
        var files: [Digest: OpenFile] = [:]
        /// Still being sent, but not to be handed out any more.
        var retired: [Digest: [WeakFile]] = [:]
        var retiredMax = OpenFiles.retiredMin
        var order = RecencyList<Digest>()
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

    /// The file of a place, if it is still handed out.
    func again(_ place: OpenFile) -> GrowingFile? {
        state.withLock { _ in
            place.wasUsed = true
            return place.file
        }
    }

    /// Keeps a file that was opened after `epoch` was read, and gives the one to use.
    ///
    /// An earlier one if somebody was faster; nil if an eviction came in between, so that the
    /// caller looks again.
    func insert(_ file: GrowingFile, as digest: Digest, since epoch: UInt64) -> GrowingFile? {
        var closing: [GrowingFile] = []
        let kept = state.withLock { state -> GrowingFile? in
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
    ) -> GrowingFile {
        state.order.touch(digest)
        if let earlier = state.files[digest]?.file { return earlier }
        state.files[digest] = OpenFile(file, digest)
        var passed = 0
        while state.files.count > idleMax, passed < searchMax, let oldest = state.order.oldest {
            let isSpared = passed < searchMax / 2 && wasUsed(oldest, &state)
            if !isSpared, isIdle(oldest, &state), let closed = remove(oldest, &state) {
                // Closed by the caller, outside of the lock.
                closing.append(closed)
            } else {
                state.order.touch(oldest)
                passed += 1
            }
        }
        return file
    }

    /// Whether a file was used since this was asked for the last time.
    private static func wasUsed(_ digest: Digest, _ state: inout State) -> Bool {
        guard let place = state.files[digest] else { return false }
        defer { place.wasUsed = false }
        return place.wasUsed
    }

    private static func remove(_ digest: Digest, _ state: inout State) -> GrowingFile? {
        state.order.remove(digest)
        guard let place = state.files.removeValue(forKey: digest) else { return nil }
        defer { place.file = nil }
        return place.file
    }

    /// Whether nobody but this table holds the file, and no body is being sent from it.
    private static func isIdle(_ digest: Digest, _ state: inout State) -> Bool {
        if let retired = state.retired[digest] {
            if retired.contains(where: { $0.file != nil }) { return false }
            state.retired[digest] = nil
        }
        guard let place = state.files[digest] else { return true }
        guard isKnownUniquelyReferenced(&place.file) else { return false }
        return place.file?.readers == 0
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

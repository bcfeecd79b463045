import OCI
import Reactor
import Synchronization

/// Another registry of a simulation: what it holds, which image each tag means, how it fails.
///
/// It outlives the daemons that ask it. Its faults follow from the seed.
final class SimulatedRegistry: Sendable {
    enum Fault: CaseIterable {
        case none, flip, truncate, reset, noLength, wrongLength, rangeIgnored, wrongRange
        case status404, status401, status429, status500, unreachable, slow, silent
    }

    private struct State {
        var generator: SeededGenerator
        var isDown = false
        var faultShare = 0.0
        var versions: [RepositoryName: Int] = [:]
        /// When each image became what the tag of its name means, and what it was before.
        var history: [RepositoryName: [(since: Instant, manifest: Digest)]] = [:]
        var refusedAt: Instant?
    }

    let host: String
    let images: SimulatedImages
    let catalogue: SimulatedImages.Catalogue
    let trace: Trace
    private let clock: ManualClock
    private let state: Mutex<State>

    init(
        host: String, images: SimulatedImages, index: Int, clock: ManualClock, seed: UInt64,
        trace: Trace
    ) {
        self.host = host
        self.images = images
        catalogue = images.catalogues[index]
        self.clock = clock
        self.trace = trace
        var start = State(generator: SeededGenerator(seed: seed))
        for (name, versions) in catalogue {
            start.versions[name] = 0
            start.history[name] = versions.first.map { [(clock.now, $0.manifest)] }
        }
        state = Mutex(start)
    }

    // MARK: - What the schedule does to it

    func set(down: Bool, faultShare: Double) {
        trace.add("\(host) down \(down) faults \(faultShare)")
        state.withLock {
            $0.isDown = down
            $0.faultShare = faultShare
        }
    }

    /// The tag of a name means another image from now on.
    func moveTag(of name: RepositoryName) {
        guard let versions = catalogue[name] else { return }
        let now = clock.now
        state.withLock { state in
            let next = ((state.versions[name] ?? 0) + 1) % versions.count
            state.versions[name] = next
            state.history[name, default: []].append((now, versions[next].manifest))
        }
        trace.add("\(host) moves \(name)")
    }

    // MARK: - What is known of it

    /// The image that the tag of `name` means now.
    func current(_ name: RepositoryName) -> SimulatedImages.Image? {
        let version = state.withLock { $0.versions[name] }
        return version.flatMap { catalogue[name]?[$0] }
    }

    /// Whether the tag of `name` meant `manifest` at any moment from `start` on.
    func meant(_ manifest: Digest, by name: RepositoryName, since start: Instant) -> Bool {
        let history = state.withLock { $0.history[name] ?? [] }
        for (index, entry) in history.enumerated() where entry.manifest == manifest {
            if index + 1 == history.count || history[index + 1].since >= start { return true }
        }
        return false
    }

    /// Whether some version of `name` has the blob.
    func has(_ digest: Digest, under name: RepositoryName) -> Bool {
        catalogue[name]?.contains { $0.manifest == digest || $0.blobs.contains(digest) } ?? false
    }

    /// Whether it said at `start` or later that something does not exist or is not to be had.
    func refused(since start: Instant) -> Bool {
        state.withLock { $0.refusedAt.map { $0 >= start } ?? false }
    }

    // MARK: - What answers draw

    func draw(_ range: Range<Int>) -> Int {
        state.withLock { Int.random(in: range, using: &$0.generator) }
    }

    func drawFault() -> Fault {
        state.withLock { state in
            if state.isDown { return .unreachable }
            guard Double.random(in: 0..<1, using: &state.generator) < state.faultShare else {
                return .none
            }
            // Wrong bytes are what everything else is there for.
            if Int.random(in: 0..<4, using: &state.generator) == 0 { return .flip }
            return Fault.allCases.randomElement(using: &state.generator) ?? .none
        }
    }

    func noteRefused() { state.withLock { $0.refusedAt = clock.now } }
}

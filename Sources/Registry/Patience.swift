import Reactor

/// How long a client waits for the upstream's word on a tag that could be served as it was (UP-6).
///
/// A few times what the upstream usually takes, so that a black-holed one costs a client little;
/// nothing at all once it was found silent, until it speaks again (P8).
struct Patience {
    /// Bounds of one wait; the longer one holds until it is known what is usual.
    static let least = Duration.milliseconds(250)
    static let most = Duration.seconds(2)
    private static let factor = 5
    /// How long it is remembered that the upstream was silent.
    private static let memory = Duration.seconds(300)

    /// The longest of the last answers, slowly forgotten.
    private var usual: Duration?
    private var silentUntil: Instant?

    /// The next wait; zero while the upstream is known to be silent.
    func wait(at now: Instant) -> Duration {
        if let silentUntil, silentUntil > now { return .zero }
        guard let usual else { return Self.most }
        return min(max(usual * Self.factor, Self.least), Self.most)
    }

    /// The upstream has answered.
    mutating func heard(after time: Duration) {
        silentUntil = nil
        usual = max(time, (usual ?? time) * 7 / 8)
    }

    /// Somebody waited in vain.
    mutating func ranOut(at now: Instant) {
        silentUntil = now + Self.memory
    }

    /// It failed once more; if it was silent before, that is not over.
    mutating func failed(at now: Instant) {
        if silentUntil != nil { ranOut(at: now) }
    }
}

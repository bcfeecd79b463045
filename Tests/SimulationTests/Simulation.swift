import CSimulation
import Glibc
import OCI
import Reactor
import Registry
import Store
import TestSupport

/// One run: a daemon, its upstreams, clients and a schedule of what happens, all from one seed.
///
/// The driver alternates between turns of the daemon's loop and steps of clients, and moves the
/// clock when neither has anything to do. Everything runs on the calling thread.
final class Simulation {
    /// What kind of run the seed makes.
    struct Profile {
        /// Whether everything fits into the store, so that nothing is ever evicted.
        let isRoomy: Bool
        /// How many things happen.
        let steps: Int
        let faultShareMax: Double
        let kills: Bool
        /// The part of the disk's calls that may fail.
        let diskFaultShare: Double
        /// Whether stored files are damaged.
        let rots: Bool

        init(using generator: inout Reactor.SeededGenerator) {
            isRoomy = Bool.random(using: &generator)
            steps = Int.random(in: 12...26, using: &generator)
            faultShareMax = [0, 0.3, 0.6].randomElement(using: &generator) ?? 0
            kills = Int.random(in: 0..<3, using: &generator) > 0
            diskFaultShare = [0, 0, 0.003, 0.03].randomElement(using: &generator) ?? 0
            rots = Int.random(in: 0..<4, using: &generator) == 0
        }
    }

    static let maxSizeOfRoomy: Int64 = 64 << 20

    let seed: UInt64
    let profile: Profile
    let trace: Trace
    let clock = ManualClock(wallSeconds: 1_000_000_000)
    let images: SimulatedImages
    let registries: [SimulatedRegistry]
    let limits: StoreLimits
    let directory: TemporaryDirectory
    let disk: SimulatedDisk
    var generator: Reactor.SeededGenerator
    var daemon: SimulatedDaemon
    var roots: [String]
    private(set) var restarts = 0
    /// Daemons of the past, still in memory.
    var ghosts: [SimulatedDaemon] = []
    var clients: [SimulatedClient] = []
    var clientsEver = 0
    /// What went wrong, in words.
    var violations: [String] = []
    /// Whose stored bytes were damaged.
    var rotten: Set<Digest> = []
    /// What was delivered whole: stored once nothing is being written any more.
    var delivered: Set<String> = []
    /// Since when what was delivered is known to be stored.
    var kept: [String: Instant] = [:]
    /// Whether all faults are over: every pull must succeed.
    var isHealed = false
    /// Whether connections may be cut because the daemon ends.
    var isStopping = false

    init(seed: UInt64, keepsTrace: Bool = false) throws {
        // As the daemon does: sendfile has no flag for it.
        signal(SIGPIPE, SIG_IGN)
        self.seed = seed
        var generator = Reactor.SeededGenerator(seed: seed)
        profile = Profile(using: &generator)
        trace = Trace(keepsLines: keepsTrace)
        images = try SimulatedImages(using: &generator)
        registries = [(0, "one.example"), (1, "two.example")].map { [images, clock, trace] in
            SimulatedRegistry(
                host: $0.1, images: images, index: $0.0, clock: clock, seed: seed &+ UInt64($0.0),
                trace: trace)
        }
        let tight = Int64.random(in: 1_900_000...3_400_000, using: &generator)
        limits = StoreLimits(
            maxSize: .bytes(profile.isRoomy ? Self.maxSizeOfRoomy : tight), minFree: .bytes(0),
            openFilesMax: Int.random(in: 1...12, using: &generator))
        disk = SimulatedDisk(seed: generator.next(), trace: trace)
        self.generator = generator
        directory = try TemporaryDirectory.inMemory()
        roots = [directory.file("0")]
        daemon = try SimulatedDaemon(
            root: directory.file("0"), registries: registries, limits: limits, seed: seed,
            clock: clock, trace: trace)
    }

    var root: String { roots[roots.count - 1] }

    func draw(_ range: Range<Int>) -> Int { Int.random(in: range, using: &generator) }

    /// One chance in `count`.
    func chance(_ count: Int) -> Bool { draw(0..<count) == 0 }

    // MARK: - Driving

    /// Runs the daemon and the clients for about so many turns.
    func drive(_ turns: Int) {
        var left = turns
        while left > 0 {
            let ran = run(turnsMax: disk.isKilling ? 1 : draw(1..<16))
            if disk.isKilled { return }
            let moved = stepClients(.some)
            left -= ran + 1
            // Before time passes everybody who is quick has had his turn.
            if ran == 0, !moved, !stepClients(.quick) {
                let bound = clock.now + .milliseconds(draw(1..<400))
                passTime(until: min(daemon.loop.nextDeadline ?? bound, bound))
                left -= 4
            }
        }
    }

    /// Runs until `isDone`, moving the clock whenever nothing else moves; false after `bound`.
    func settle(within bound: Duration, until isDone: () -> Bool) -> Bool {
        let end = clock.now + bound
        while true {
            let ran = run(turnsMax: 64)
            let moved = stepClients(.all)
            if isDone() { return true }
            if ran > 0 || moved { continue }
            guard clock.now < end else { return false }
            passTime(until: min(daemon.loop.nextDeadline ?? end, end))
        }
    }

    func run(turnsMax: Int) -> Int {
        let loop = daemon.loop
        return disk.during { loop.runUntilIdle(turnsMax: turnsMax) }
    }

    func passTime(until instant: Instant) {
        let now = clock.now
        if instant > now { clock.advance(by: instant - now) }
    }

    private enum Movers { case some, quick, all }

    /// Clients move; false if none could.
    private func stepClients(_ who: Movers) -> Bool {
        var moved = false
        let now = clock.now
        let count = who == .some ? min(clients.count, draw(0..<4)) : clients.count
        for index in 0..<count {
            let client = clients[who == .some ? draw(0..<clients.count) : index]
            if client.habits.isSlow, who == .quick || who == .some && !chance(8) { continue }
            let step = client.step(daemon.address, now)
            moved = moved || step.moved
            for end in step.ends { judge(end, of: client) }
        }
        forgetDone()
        return moved
    }

    func forgetDone() {
        for client in clients where client.isDone && !client.habits.isSlow {
            if client.longestWait > SimulatedDaemon.maxAnswerTime {
                violations.append("client \(client.id) waited \(client.longestWait) for an answer")
            }
        }
        clients.removeAll { $0.isDone }
    }

    func add(_ exchanges: [Exchange], _ habits: SimulatedClient.Habits) {
        clientsEver += 1
        trace.add("client \(clientsEver): \(exchanges.map(\.text).joined(separator: ", "))")
        clients.append(SimulatedClient(id: clientsEver, exchanges, habits))
    }

    // MARK: - Ends of daemons

    /// SIGTERM: answers under way may finish, then a new daemon takes over the files.
    func restart() throws {
        trace.add("restart")
        isStopping = true
        let isDown = daemon.stop(within: .seconds(30))
        if !settle(within: .seconds(60), until: { isDown.isSet }) {
            violations.append("the daemon does not stop")
        }
        loseConnections()
        ghosts.append(daemon)
        restarts += 1
        try open()
    }

    /// SIGKILL: the files stay as they are, everything else is gone.
    func kill() throws {
        let next = directory.file(String(roots.count))
        disk.killSoon(root, to: next)
        drive(draw(1..<60))
        guard disk.finishKill() else {
            throw TestFailure("cannot copy the store: error \(disk.failure)")
        }
        trace.add("kill")
        isStopping = true
        daemon.kill()
        loseConnections()
        ghosts.append(daemon)
        roots.append(next)
        delivered = []
        try open()
    }

    private func loseConnections() {
        for client in clients {
            for end in client.lose(clock.now) { judge(end, of: client) }
        }
        forgetDone()
    }

    private func open() throws {
        isStopping = false
        guard csimulation_set_times(root, clock.wallSeconds) == 0 else {
            throw TestFailure("cannot set the times of files: \(errno)")
        }
        for client in clients { client.startAnew() }
        passTime(until: clock.now + .milliseconds(draw(0..<3000)))
        daemon = try SimulatedDaemon(
            root: root, registries: registries, limits: limits,
            seed: seed &+ UInt64(ghosts.count) << 32, clock: clock, trace: trace)
    }
}

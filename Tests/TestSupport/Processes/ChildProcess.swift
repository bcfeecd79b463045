import Glibc

/// A child process that dies with the test process, whatever happens.
///
/// Children are spawned by one thread that never ends, since `PR_SET_PDEATHSIG` (set by
/// `setpriv`) looks at the parent *thread*; each is the leader of its own group.
package final class ChildProcess: Sendable {
    package let command: [String]
    package let identifier: Int32
    private let ending = Monitor<Ending?>(nil)

    /// How a process ended.
    package enum Ending: Sendable, Equatable {
        case exited(Int32)
        case killed(signal: Int32)
    }

    /// Starts a command; output goes to files.
    ///
    /// It gets the descriptor `passing` as its number 3.
    package init(
        _ command: [String], environment: [String: String] = [:], stdout: String = "/dev/null",
        stderr: String = "/dev/null", passing descriptor: Int32? = nil
    ) throws {
        self.command = command
        let argv = ["/usr/bin/setpriv", "--pdeathsig", "KILL", "--"] + command
        identifier = try SpawnThread.shared.spawn(
            argv, environment: environment, stdout: stdout, stderr: stderr, passing: descriptor)
        let (identifier, ending) = (identifier, ending)
        ThreadStarter.start {
            var status: Int32 = 0
            while waitpid(identifier, &status, 0) < 0, errno == EINTR {}
            let signal = status & 0x7F
            let result: Ending =
                signal == 0 ? .exited(status >> 8 & 0xFF) : .killed(signal: signal)
            ending.with { $0 = result }
        }
    }

    deinit { terminate() }

    package var isRunning: Bool { ending.read { $0 == nil } }

    /// Sends a signal to the process itself, if it still runs.
    package func signal(_ number: Int32) {
        ending.read { if $0 == nil { _ = kill(identifier, number) } }
    }

    /// Kills the process and all that it started.
    package func terminate() {
        ending.read { if $0 == nil { _ = kill(-identifier, SIGKILL) } }
    }

    /// Waits for the end; nil if it did not come in time.
    package func wait(within limit: Duration = .seconds(60)) -> Ending? {
        ending.wait(limit) { $0 != nil }
        return ending.read { $0 }
    }
}

/// The thread that spawns all children.
private final class SpawnThread: Sendable {
    static let shared = SpawnThread()
    private struct Job: Sendable { let run: @Sendable () -> Void }
    private let jobs = Monitor<[Job]>([])

    private init() {
        let jobs = jobs
        ThreadStarter.start {
            while true {
                jobs.wait(.seconds(3600)) { !$0.isEmpty }
                let next = jobs.with { $0.isEmpty ? nil : $0.removeFirst() }
                next?.run()
            }
        }
    }

    func spawn(
        _ argv: [String], environment: [String: String], stdout: String, stderr: String,
        passing descriptor: Int32?
    ) throws -> pid_t {
        let result = Monitor<Result<pid_t, TestFailure>?>(nil)
        let job = Job {
            let outcome = Result { () throws(TestFailure) in
                try spawnNow(argv, environment, stdout, stderr, descriptor)
            }
            result.with { $0 = outcome }
        }
        jobs.with { $0.append(job) }
        result.wait(.seconds(60)) { $0 != nil }
        guard let outcome = result.read({ $0 }) else { throw TestFailure("spawn took too long") }
        return try outcome.get()
    }
}

private func spawnNow(
    _ argv: [String], _ variables: [String: String], _ stdout: String, _ stderr: String,
    _ descriptor: Int32?
) throws(TestFailure) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    let writing = O_WRONLY | O_CREAT | O_APPEND
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, stdout, writing, 0o644)
    posix_spawn_file_actions_addopen(&actions, 2, stderr, writing, 0o644)
    // Nothing of what other tests have open at the moment.
    if let descriptor { posix_spawn_file_actions_adddup2(&actions, descriptor, 3) }
    for number: Int32 in (descriptor == nil ? 3 : 4)..<1024 {
        posix_spawn_file_actions_addclose(&actions, number)
    }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
    posix_spawnattr_setpgroup(&attributes, 0)
    var arguments: [UnsafeMutablePointer<CChar>?] = argv.map { strdup($0) } + [nil]
    var settings: [UnsafeMutablePointer<CChar>?] =
        inherited(without: variables).map { strdup($0) }
        + variables.map { strdup("\($0)=\($1)") } + [nil]
    defer { for pointer in arguments + settings { free(pointer) } }
    var identifier: pid_t = 0
    let code = posix_spawn(
        &identifier, argv[0], &actions, &attributes, &arguments, &settings)
    guard code == 0 else {
        throw TestFailure("cannot start \(argv): \(String(cString: strerror(code)))")
    }
    return identifier
}

/// The environment of the tests, less what is set anew and what would change the daemon.
private func inherited(without names: [String: String]) -> [String] {
    let dropped = [
        "CISTERN__", "NOTIFY_SOCKET=", "LISTEN_", "STATE_DIRECTORY=", "RUNTIME_DIRECTORY=",
        "JOURNAL_STREAM=",
    ]
    var result: [String] = []
    var cursor = environ
    while let entry = cursor.pointee {
        let text = String(cString: entry)
        let name = String(text.prefix { $0 != "=" })
        if names[name] == nil, !dropped.contains(where: text.hasPrefix) { result.append(text) }
        cursor = cursor.successor()
    }
    return result
}

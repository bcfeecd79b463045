import Access
import Configuration
import Linux
import Reactor
import Telemetry

/// Builds what decides who may, from `[auth]`.
struct AccessBuilder {
    /// What is in force, and what of it goes on over a reload.
    struct Built {
        var control = AccessControl.open
        fileprivate var files: [String?]?
        fileprivate var hashers: WorkerPool?
    }

    let runtime: Runtime

    /// The same files keep their tokens and what was found out about passwords.
    func build(
        _ configuration: Configuration, keeping old: Built
    ) throws(DaemonError) -> Built {
        guard let auth = configuration.auth else { return Built(hashers: old.hashers) }
        var built = Built(files: [auth.htpasswd, auth.tokens], hashers: old.hashers)
        let authenticator: Authenticator
        if let known = old.control.authenticator, old.files == built.files {
            authenticator = known
        } else {
            let hashers: WorkerPool
            if let known = old.hashers { hashers = known } else { hashers = try makeHashers() }
            built.hashers = hashers
            authenticator = Authenticator(
                passwords: auth.htpasswd, robots: auth.tokens, workers: runtime.workers,
                hashers: hashers
            ) { [logger = runtime.logger] path, problem in
                logger.log(
                    .warn, "logins",
                    [
                        "file": .string(path), "line": .integer(Int64(problem.line)),
                        "problem": .string(problem.text),
                    ])
            }
        }
        built.control = AccessControl(
            rules: auth.accessRules, authenticator: authenticator, realm: auth.realm,
            url: auth.url)
        return built
    }

    /// Threads of their own, so that many logins delay no fetch.
    private func makeHashers() throws(DaemonError) -> WorkerPool {
        do throws(Errno) {
            return try WorkerPool(
                threads: Authenticator.hashersMax, name: "login", niceness: WorkerPool.giveWay)
        } catch {
            throw DaemonError(.unavailable, "cannot start: \(error)")
        }
    }
}

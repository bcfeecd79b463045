package import Reactor

/// Finds out who asks, by what a request carries and the files as they are now (AUTH-5).
package final class Authenticator: Sendable {
    /// What a login amounts to.
    package enum Finding: Sendable {
        case known(Caller)
        /// No such user, not the password, no token of ours, or one that has ended.
        case unknown
        /// Too many at once; again later.
        case busy
    }

    /// How long a token of the Bearer flow counts; clients ask again by themselves.
    package static let tokenSeconds: Int64 = 300
    /// Scopes of one token.
    package static let scopesMax = 32

    private let users: WatchedFile<PasswordFile>?
    private let robots: WatchedFile<RobotFile>
    private let checks: PasswordChecks
    private let keyed = KeyedHash()
    private let tokens: SignedTokens
    /// What names that do not exist are checked against when there is nobody yet.
    private static let noHash = "$2y$10$abcdefghijklmnopqrstuuAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

    /// `hashers` should have `hashersMax` threads; `report` is told what is wrong with a file.
    package init(
        passwords: String?, robots: String, workers: WorkerPool, hashers: WorkerPool,
        report: @escaping @Sendable (_ path: String, PasswordFile.Problem) -> Void
    ) {
        users = passwords.map { path in
            WatchedFile(path, bytesMax: PasswordFile.bytesMax, workers: workers) { bytes in
                guard let bytes else {
                    report(path, .init(line: 0, text: "cannot be read: no user can log in"))
                    return PasswordFile()
                }
                let parsed = PasswordFile.parse(bytes)
                for problem in parsed.problems { report(path, problem) }
                return parsed.file
            }
        }
        self.robots = WatchedFile(robots, bytesMax: RobotFile.bytesMax, workers: workers) { bytes in
            let parsed = RobotFile.parse(bytes ?? [])
            for problem in parsed.problems { report(robots, problem) }
            return parsed.file
        }
        checks = PasswordChecks(hashers: hashers, keyed: keyed)
        tokens = SignedTokens(keyed: keyed)
    }

    /// Threads that passwords are checked on.
    package static let hashersMax = PasswordChecks.atOnceMax

    // MARK: - Logins

    /// Who has this name and password; a robot's token may stand for the password.
    package func login(
        _ name: [UInt8], _ password: [UInt8], on loop: EventLoop
    ) async -> Finding {
        if password.starts(with: RobotFile.prefix.utf8) {
            let text = String(decoding: password, as: UTF8.self)
            if let robot = await robot(text, on: loop) { return .known(Caller(.robot(robot))) }
        }
        let file = await users?.value(loop) ?? PasswordFile()
        let user = PasswordFile.name(name)
        let hash = user.flatMap { file.hashes[$0] }
        let verdict = await checks.check(
            name, password, against: hash ?? standIn(name, file), mayBeRight: hash != nil,
            on: loop)
        switch verdict {
        case .busy: return .busy
        case .wrong: return .unknown
        case .right: return user.map { .known(Caller(.user($0))) } ?? .unknown
        }
    }

    /// Who has this token: one that `issue` gave, or a robot's own.
    package func bearer(_ token: String, on loop: EventLoop) async -> Finding {
        if token.hasPrefix(RobotFile.prefix) {
            return await robot(token, on: loop).map { .known(Caller(.robot($0))) } ?? .unknown
        }
        guard let content = tokens.content(of: token, at: loop.now) else { return .unknown }
        switch content.holder {
        case .anonymous: return .known(Caller(.anonymous, scopes: content.scopes))
        case .user(let name):
            guard let proof = await proof(ofUser: name, on: loop),
                ConstantTime.areEqual(proof, content.proof)
            else { return .unknown }
            return .known(Caller(.user(name), scopes: content.scopes))
        case .robot(let id):
            let entry = await robots.value(loop).entry(id)
            guard let entry, !entry.isOver(atSeconds: loop.clock.dateSeconds),
                ConstantTime.areEqual(tokens.proof(entry.mark), content.proof)
            else { return .unknown }
            return .known(Caller(.robot(entry.robot), scopes: content.scopes))
        }
    }

    /// A token for whoever logged in; nil if that one is no more.
    package func issue(
        to principal: Principal, _ scopes: [TokenScope], on loop: EventLoop
    ) async -> String? {
        let holder: SignedTokens.Holder
        let proof: [UInt8]
        switch principal {
        case .anonymous: (holder, proof) = (.anonymous, [])
        case .user(let name):
            guard let found = await self.proof(ofUser: name, on: loop) else { return nil }
            (holder, proof) = (.user(name), found)
        case .robot(let robot):
            guard let entry = await robots.value(loop).entry(robot.id) else { return nil }
            (holder, proof) = (.robot(robot.id), tokens.proof(entry.mark))
        }
        return tokens.token(
            SignedTokens.Content(
                expires: loop.now + .seconds(Self.tokenSeconds), holder: holder, proof: proof,
                scopes: scopes))
    }

    private func proof(ofUser name: String, on loop: EventLoop) async -> [UInt8]? {
        let file = await users?.value(loop)
        return file?.hashes[name].map { tokens.proof(Array($0.utf8)) }
    }

    private func robot(_ token: String, on loop: EventLoop) async -> Robot? {
        await robots.value(loop)
            .robot(withToken: token, atSeconds: loop.clock.dateSeconds)?.robot
    }

    /// A hash that exists, the same one for a name each time: as costly as a user's.
    private func standIn(_ name: [UInt8], _ file: PasswordFile) -> String {
        guard !file.names.isEmpty else { return Self.noHash }
        let draw = keyed.hash("stand-in", name).prefix(4).reduce(0) { $0 << 8 | Int($1) }
        return file.hashes[file.names[draw % file.names.count]] ?? Self.noHash
    }
}

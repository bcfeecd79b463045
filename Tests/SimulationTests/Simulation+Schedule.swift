import CSimulation
import OCI
import Reactor
import TestSupport

/// What happens in a run, step by step.
extension Simulation {
    /// Runs the whole schedule and gives what went wrong.
    func run() throws -> [String] {
        for step in 0..<profile.steps where violations.isEmpty {
            try act()
            drive(chance(3) ? draw(60..<300) : draw(2..<60))
            checkSpace("step \(step)")
        }
        try end()
        return violations
    }

    private func act() throws {
        switch draw(0..<100) {
        case 0..<38: addPull()
        case 38..<62: addRead()
        case 62..<64: addGarbage()
        case 64..<72: changeFaults()
        case 72..<75: if profile.rots { damage() } else { changeFaults() }
        case 75..<80:
            let registry = registries[draw(0..<registries.count)]
            registry.moveTag(of: drawName(of: registry))
        case 80..<92: wait()
        case 92..<95: try restart()
        default: if profile.kills { try kill() } else { try restart() }
        }
    }

    private func wait() {
        let span: Duration =
            switch draw(0..<10) {
            case 0..<5: .milliseconds(draw(1..<3000))
            case 5..<9: .seconds(draw(3..<100))
            default: .seconds(draw(100..<5000))
            }
        trace.add("wait \(span)")
        let end = clock.now + span
        _ = settle(within: span) { clock.now >= end }
    }

    private func changeFaults() {
        let share = Double(draw(0..<100)) / 100 * profile.faultShareMax
        registries[draw(0..<registries.count)].set(
            down: profile.faultShareMax > 0 && chance(4), faultShare: share)
        disk.faultShare = chance(2) ? profile.diskFaultShare : 0
    }

    /// One bit of one stored file flips, or its end is lost.
    private func damage() {
        let files = Files.walk(root + "/blobs").filter { !$0.isDirectory && $0.size > 0 }
        guard !files.isEmpty else { return }
        let file = files[draw(0..<files.count)]
        let name = file.path.split(separator: "/").last ?? ""
        // What is on its way to a client is in memory, where no disk can reach it.
        guard let digest = Digest(parsing: "sha256:\(name)"),
            !clients.contains(where: { $0.wants(digest) })
        else { return }
        let place = Int64(draw(0..<Int(file.size)))
        trace.add("damage \(digest.hex.prefix(8)) at \(place)")
        guard csimulation_damage(file.path, place, chance(3) ? 1 : 0) == 0 else { return }
        rotten.insert(digest)
        kept = kept.filter { !$0.key.hasSuffix("\(digest)") }
        delivered = delivered.filter { !$0.hasSuffix("\(digest)") }
    }

    // MARK: - Clients

    private func drawName(of registry: SimulatedRegistry) -> RepositoryName {
        let names = registry.catalogue.keys.sorted()
        return names[draw(0..<names.count)]
    }

    private func drawHabits() -> SimulatedClient.Habits {
        var habits = SimulatedClient.Habits()
        habits.pipelines = chance(3)
        if chance(4) {
            habits.isSlow = true
            habits.pieceMax = draw(1000..<40_000)
        }
        if chance(5) { habits.patience = draw(0..<400_000) }
        return habits
    }

    private func addPull() {
        let registry = registries[draw(0..<registries.count)]
        let name = drawName(of: registry)
        var exchange = Exchange(
            what: .manifest(latest), host: chance(3) ? nil : registry.host, name: name,
            usesNamespace: chance(2))
        if chance(3), let image = drawImage(registry, name) {
            exchange.what = .manifest(.digest(image.manifest))
        }
        exchange.isHead = chance(8)
        add([exchange], drawHabits())
    }

    private func drawImage(
        _ registry: SimulatedRegistry, _ name: RepositoryName
    ) -> SimulatedImages.Image? {
        guard let versions = registry.catalogue[name] else { return nil }
        return versions[draw(0..<versions.count)]
    }

    /// Blobs that are asked for without their manifest, whole or in part.
    private func addRead() {
        let registry = registries[draw(0..<registries.count)]
        let name = drawName(of: registry)
        guard let image = drawImage(registry, name) else { return }
        var exchanges: [Exchange] = []
        for _ in 0..<draw(1..<4) {
            let digest = image.blobs[draw(0..<image.blobs.count)]
            var exchange = Exchange(
                what: .blob(digest, held: []), host: chance(4) ? nil : registry.host, name: name,
                usesNamespace: chance(2))
            let size = images.blobs[digest]?.count ?? 1
            switch draw(0..<8) {
            case 0: exchange.isHead = true
            case 1: exchange.range = draw(0..<size)...Int.max
            case 2:
                let start = draw(0..<size)
                exchange.range = start...(start + draw(0..<size))
            default: break
            }
            exchanges.append(exchange)
        }
        let habits = drawHabits()
        for _ in 0..<(chance(4) ? draw(2..<6) : 1) { add(exchanges, habits) }
    }

    private func addGarbage() {
        let name = drawName(of: registries[0])
        add(
            [Exchange(what: .garbage, host: nil, name: name, usesNamespace: true)],
            SimulatedClient.Habits())
    }

    /// The one tag that all names have.
    var latest: Reference { .tag(images.tag) }

    // MARK: - The end

    /// Faults end: everybody is answered, and pulls succeed again.
    private func end() throws {
        for registry in registries { registry.set(down: false, faultShare: 0) }
        disk.faultShare = 0
        if !settle(within: .seconds(600), until: { clients.isEmpty }) {
            for client in clients {
                violations.append(
                    "client \(client.id) is never answered: \(client.exchanges[0].text)")
            }
            clients = []
        }
        let pause = clock.now + .seconds(150)
        _ = settle(within: .seconds(150)) { clock.now >= pause }
        checkSpace("before the end")
        pullAgain()
        // What could not be unlinked is counted, and looked at again by the next start.
        if profile.diskFaultShare > 0 || profile.rots { try restart() }
        settleAndCheck()
        try close()
    }

    /// One image of each registry, and one of the group.
    private func pullAgain() {
        // A breaker lets a single request through first (UP-8).
        for registry in registries { pullLatest(of: registry) }
        finishPulls()
        isHealed = true
        for registry in registries { pullLatest(of: registry) }
        pullLatest(of: registries[0], throughGroup: true)
        finishPulls()
    }

    private func pullLatest(of registry: SimulatedRegistry, throughGroup: Bool = false) {
        let exchange = Exchange(
            what: .manifest(latest), host: throughGroup ? nil : registry.host,
            name: drawName(of: registry), usesNamespace: chance(2))
        add([exchange], SimulatedClient.Habits())
    }

    private func finishPulls() {
        if !settle(within: .seconds(200), until: { clients.isEmpty }) {
            violations.append("the last pulls are never answered")
            clients = []
        }
    }
}

import Configuration
import Registry
import Telemetry
import Upstream

/// Makes the repositories of a configuration, keeping those that a reload did not change.
struct RepositoryBuilder {
    let runtime: Runtime

    /// What is in force: the repositories, and from which configuration each was made.
    struct Built: Sendable {
        var repositories: [Repository] = []
        var configurations: [String: RepositoryConfiguration] = [:]
        var metrics: [String: RepositoryMetrics] = [:]
        var limits: LimitsConfiguration?
        /// Of each proxy that is or was online, by its name: what a reload replaced may still run.
        var switches: [String: UpstreamSwitch] = [:]

        /// Ends what runs for those that `configuration` makes offline.
        mutating func turnOff(_ configuration: Configuration) {
            for repository in configuration.repositories where repository.proxy?.offline == true {
                switches.removeValue(forKey: repository.name)?.turnOff()
            }
        }
    }

    func build(_ configuration: Configuration, keeping old: Built) throws(DaemonError) -> Built {
        var built = Built()
        built.limits = configuration.limits
        built.switches = old.switches
        var proxies: [String: ProxyRepository] = [:]
        for repository in configuration.repositories {
            built.configurations[repository.name] = repository
            built.metrics[repository.name] = metrics(of: repository, old)
            guard case .proxy(let settings) = repository.kind else { continue }
            let proxy: ProxyRepository
            if let unchanged = kept(repository, configuration, old) {
                proxy = unchanged
            } else {
                let offSwitch = built.switches[repository.name] ?? UpstreamSwitch()
                built.switches[repository.name] = offSwitch
                proxy = try make(
                    repository.name, settings, configuration.limits, built, offSwitch)
            }
            proxies[repository.name] = proxy
            built.repositories.append(.proxy(proxy))
        }
        var hosted: [String: HostedRepository] = [:]
        for repository in configuration.repositories {
            guard case .hosted(let settings) = repository.kind else { continue }
            let made = HostedRepository(
                name: repository.name, policy: HostedPolicy(settings, configuration.limits),
                content: runtime.content)
            hosted[repository.name] = made
            built.repositories.append(.hosted(made))
        }
        for repository in configuration.repositories {
            guard case .group(let group) = repository.kind else { continue }
            let names = members(of: group, in: configuration, depth: 0)
            built.repositories.append(
                .group(
                    GroupRepository(
                        name: repository.name, hosted: names.compactMap { hosted[$0] },
                        members: names.compactMap { proxies[$0] },
                        pushTo: group.pushTo.flatMap { hosted[$0] }, content: runtime.content)))
        }
        return built
    }

    private func metrics(of repository: RepositoryConfiguration, _ old: Built) -> RepositoryMetrics
    {
        var isHosted = false
        if case .hosted = repository.kind { isHosted = true }
        if let known = old.metrics[repository.name], (known.hosted != nil) == isHosted {
            return known
        }
        return runtime.metrics.repository(repository.name, isHosted: isHosted)
    }

    /// An unchanged proxy goes on with its fetches, tokens and connections.
    private func kept(
        _ repository: RepositoryConfiguration, _ configuration: Configuration, _ old: Built
    ) -> ProxyRepository? {
        guard old.configurations[repository.name] == repository,
            old.limits == configuration.limits
        else { return nil }
        for case .proxy(let proxy) in old.repositories where proxy.name == repository.name {
            return proxy
        }
        return nil
    }

    /// The members of a group, groups within it replaced by theirs, each once.
    private func members(
        of group: GroupConfiguration, in configuration: Configuration, depth: Int
    ) -> [String] {
        // The configuration refuses cycles; the bound is for the day it does not.
        guard depth < 16 else { return [] }
        var names: [String] = []
        for name in group.members {
            let inner = configuration.repository(named: name)?.group
            let found = inner.map { members(of: $0, in: configuration, depth: depth + 1) } ?? [name]
            for name in found where !names.contains(name) { names.append(name) }
        }
        return names
    }

    private func make(
        _ name: String, _ settings: ProxyConfiguration, _ limits: LimitsConfiguration,
        _ built: Built, _ offSwitch: UpstreamSwitch
    ) throws(DaemonError) -> ProxyRepository {
        let builder = UpstreamBuilder(
            runtime: runtime, name: name, metrics: built.metrics[name], offSwitch: offSwitch)
        let upstream: any UpstreamClient
        do throws(UpstreamError) {
            upstream = try builder.build(settings)
        } catch {
            throw DaemonError(.unavailable, "repository \(name): \(error)")
        }
        let logins =
            settings.authentication == .passthrough
            ? logins(of: name, settings, limits, builder) : nil
        return ProxyRepository(
            Scope(name, settings), registry: settings.registry,
            policy: Self.policy(settings, limits),
            upstream: upstream, content: runtime.content, logins: logins)
    }

    /// The proxy as it is for each client's own login.
    private func logins(
        of name: String, _ settings: ProxyConfiguration, _ limits: LimitsConfiguration,
        _ builder: UpstreamBuilder
    ) -> ClientLogins {
        let policy = Self.policy(settings, limits)
        return ClientLogins(loop: runtime.home) { [content = runtime.content] login in
            let credentials = UpstreamSettings.Credentials(
                username: login.username, password: login.password)
            guard let upstream = try? builder.build(settings, login: credentials) else {
                return nil
            }
            let user = String(decoding: login.username, as: UTF8.self)
            return ProxyRepository(
                Scope(name, settings, client: user),
                registry: settings.registry, policy: policy, upstream: upstream,
                content: content, asksForRights: true)
        }
    }

    private static func policy(
        _ settings: ProxyConfiguration, _ limits: LimitsConfiguration
    ) -> ProxyPolicy {
        var policy = ProxyPolicy(
            tagTTL: settings.tagTTL, missingTTL: settings.missingTTL, staleMax: settings.stale,
            resumesMax: settings.retries, manifestBytesMax: Int(clamping: limits.manifestSize),
            blobBytesMax: limits.blobSize, implicitLibrary: settings.registry == "docker.io")
        policy.isOffline = settings.offline
        policy.allow = settings.allow
        policy.deny = settings.deny
        if settings.offline { policy.staleMax = .forever }
        return policy
    }
}

extension HostedPolicy {
    init(_ settings: HostedConfiguration, _ limits: LimitsConfiguration) {
        self.init()
        tags =
            switch settings.tags {
            case .mutable: .mutable
            case .immutable: .immutable
            case .immutableExceptLatest: .immutableExceptLatest
            }
        allowsDelete = settings.allowsDelete
        sizeMax = settings.maxSize
        keepLast = settings.keep?.last
        keepNewerThan = settings.keep?.newerThan
        manifestBytesMax = Int(clamping: limits.manifestSize)
        blobBytesMax = limits.blobSize
    }
}

extension Scope {
    /// What one proxy shows is known by the registry itself and by all its logins: a cache put in
    /// front of it changes nothing, and what needs a login anywhere is private.
    fileprivate init(_ name: String, _ settings: ProxyConfiguration, client: String? = nil) {
        let logins = settings.upstreams.compactMap { upstream in
            upstream.credentials.map { (upstream.url.description, $0.username) }
        }
        let registry = settings.upstreams.last?.url.description ?? settings.registry
        let login =
            logins.count == 1 && logins.first?.0 == registry
            ? logins.first?.1 : logins.map { "\($0.0) \($0.1)" }.joined(separator: "\n")
        self.init(name, upstream: registry, login: client ?? (logins.isEmpty ? nil : login))
    }
}

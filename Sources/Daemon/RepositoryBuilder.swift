import Configuration
import HTTP
import Reactor
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
    }

    func build(_ configuration: Configuration, keeping old: Built) throws(DaemonError) -> Built {
        var built = Built()
        built.limits = configuration.limits
        var proxies: [String: ProxyRepository] = [:]
        for repository in configuration.repositories {
            built.configurations[repository.name] = repository
            built.metrics[repository.name] =
                old.metrics[repository.name] ?? runtime.metrics.repository(repository.name)
            guard case .proxy(let settings) = repository.kind else { continue }
            let proxy: ProxyRepository
            if let unchanged = kept(repository, configuration, old) {
                proxy = unchanged
            } else {
                proxy = try make(repository.name, settings, configuration.limits, built)
            }
            proxies[repository.name] = proxy
            built.repositories.append(.proxy(proxy))
        }
        for repository in configuration.repositories {
            guard case .group(let group) = repository.kind else { continue }
            let names = members(of: group, in: configuration, depth: 0)
            built.repositories.append(
                .group(
                    GroupRepository(
                        name: repository.name, members: names.compactMap { proxies[$0] },
                        content: runtime.content)))
        }
        return built
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

    /// The proxies of a group, groups within it replaced by theirs, each once.
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
        _ built: Built
    ) throws(DaemonError) -> ProxyRepository {
        let upstream: CurlUpstream
        do throws(UpstreamError) {
            upstream = try CurlUpstream(
                try Self.upstream(name, settings), loop: runtime.home,
                events: UpstreamEvents(counting: built.metrics[name]))
        } catch {
            throw DaemonError(.unavailable, "repository \(name): \(error)")
        }
        return ProxyRepository(
            name: name, registry: settings.registry, policy: Self.policy(settings, limits),
            upstream: budgeted(upstream, built.metrics[name]), content: runtime.content)
    }

    private func budgeted(
        _ upstream: CurlUpstream, _ metrics: RepositoryMetrics?
    ) -> BudgetedUpstream {
        BudgetedUpstream(upstream, loop: runtime.home) { metrics?.blockedUntil.set(Int($0)) }
    }

    private static func policy(
        _ settings: ProxyConfiguration, _ limits: LimitsConfiguration
    ) -> ProxyPolicy {
        ProxyPolicy(
            tagTTL: settings.tagTTL, missingTTL: settings.missingTTL, staleMax: settings.stale,
            resumesMax: settings.retries, manifestBytesMax: Int(clamping: limits.manifestSize),
            blobBytesMax: limits.blobSize, implicitLibrary: settings.registry == "docker.io")
    }

    private static func upstream(
        _ name: String, _ settings: ProxyConfiguration
    ) throws(UpstreamError) -> UpstreamSettings {
        guard let base = RemoteURL(parsing: settings.upstream.description) else {
            throw .badResponse("the upstream's URL is not usable")
        }
        var upstream = UpstreamSettings(
            registry: settings.registry, base: base,
            implicitLibrary: settings.registry == "docker.io",
            credentials: settings.credentials.map {
                UpstreamSettings.Credentials(
                    username: Array($0.username.utf8), password: $0.password.bytes)
            },
            realms: settings.realms.compactMap { RemoteURL(parsing: $0.description) },
            allowNetworks: settings.allowNetworks,
            caFile: settings.caFile, insecure: settings.insecure,
            userAgent: "cistern/\(Version.number)")
        upstream.timeouts.connect = settings.connectTimeout
        upstream.timeouts.tls = settings.tlsTimeout
        upstream.timeouts.firstByte = settings.firstByteTimeout
        upstream.timeouts.stall = settings.stallTimeout
        return upstream
    }
}

extension UpstreamEvents {
    /// Counts an upstream's traffic under its repository.
    fileprivate init(counting metrics: RepositoryMetrics?) {
        guard let metrics else {
            self.init()
            return
        }
        self.init(
            exchange: { exchange in
                let method = MethodLabel(method: exchange.method.rawValue)
                if exchange.status > 0 {
                    metrics.upstreamAnswered(
                        method, status: exchange.status, after: exchange.duration)
                }
                metrics.upstreamUp.set(exchange.error == nil && exchange.status < 500 ? 1 : 0)
                if let error = exchange.error { metrics.upstreamFailed(label: error.reason) }
                if exchange.status == 429 { metrics.upstreamFailed(.rateLimited) }
                if exchange.status >= 500 { metrics.upstreamFailed(.serverError) }
                if let limit = exchange.rateLimit?.limit { metrics.rateLimit.set(limit) }
                if let remaining = exchange.rateLimit?.remaining {
                    metrics.rateLimitRemaining.set(remaining)
                }
            },
            received: { metrics.receivedBytes.add($0) },
            bodyFailed: { metrics.upstreamFailed(label: $0.reason) })
    }
}

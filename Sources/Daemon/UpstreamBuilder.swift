import Configuration
import Reactor
import Telemetry
import Upstream

/// Makes what a proxy asks its upstream through: libcurl, behind what spares the upstream's budget,
/// behind a breaker with retries.
struct UpstreamBuilder {
    let runtime: Runtime
    /// The proxy's name in the configuration.
    let name: String
    let metrics: RepositoryMetrics?
    /// Turns off whatever it makes.
    let offSwitch: UpstreamSwitch

    /// Makes it, with a client's `login` in place of the configured one.
    func build(
        _ settings: ProxyConfiguration, login: UpstreamSettings.Credentials? = nil
    ) throws(UpstreamError) -> any UpstreamClient {
        if settings.offline || offSwitch.isOff { return OfflineUpstream() }
        var members: [any UpstreamClient] = []
        for upstream in settings.upstreams {
            var site = try Self.site(upstream, settings)
            // The configuration allows clients' logins with a single upstream only.
            if let login, settings.upstreams.count == 1 { site.credentials = login }
            members.append(try build(site))
        }
        if let only = members.first, members.count == 1 { return only }
        return UpstreamChain(members, loop: runtime.home)
    }

    private func build(
        _ site: UpstreamSettings
    ) throws(UpstreamError) -> any UpstreamClient {
        let client = try CurlUpstream(
            site, loop: runtime.home, events: UpstreamEvents(counting: metrics))
        offSwitch.add(client)
        let budgeted = BudgetedUpstream(client, loop: runtime.home) { [metrics] in
            metrics?.blockedUntil.set(Int($0))
        }
        return GuardedUpstream(
            budgeted, loop: runtime.home, seed: .random(in: .min ... .max),
            events: guardEvents(site.base.origin))
    }

    /// One line when a breaker opens and one when it closes; the rest is counted.
    private func guardEvents(_ origin: Origin) -> GuardedUpstream.Events {
        var events = GuardedUpstream.Events()
        let logger = runtime.logger
        events.changed = { [name] change, cause in
            switch change {
            case .opened(let pause):
                logger.log(
                    .warn, "upstream is failing and is left alone",
                    [
                        "repo": .string(name), "upstream": .string("\(origin)"),
                        "cause": .string(cause), "retry_in": .string("\(pause.inSeconds)s"),
                    ])
            case .closed:
                logger.log(
                    .info, "upstream is back",
                    ["repo": .string(name), "upstream": .string("\(origin)")])
            case .stayedOpen: break
            }
        }
        guard let site = metrics?.site("\(origin)") else { return events }
        events.state = { site.breaker.set($0.rawValue) }
        events.retried = { site.retries.add() }
        events.refused = { site.refused.add() }
        return events
    }

    private static func site(
        _ place: ProxyConfiguration.Upstream, _ settings: ProxyConfiguration
    ) throws(UpstreamError) -> UpstreamSettings {
        guard let base = RemoteURL(parsing: place.url.description) else {
            throw .badResponse("the upstream's URL is not usable")
        }
        var upstream = UpstreamSettings(
            registry: settings.registry, base: base,
            implicitLibrary: settings.registry == "docker.io",
            credentials: place.credentials.map {
                UpstreamSettings.Credentials(
                    username: Array($0.username.utf8), password: $0.password.bytes)
            },
            realms: place.realms.compactMap { RemoteURL(parsing: $0.description) },
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
                // Of a token service or a CDN that fails the registry knows nothing.
                if exchange.kind == .registry, exchange.error != .cancelled {
                    metrics.upstreamUp.set(exchange.error == nil && exchange.status < 500 ? 1 : 0)
                }
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

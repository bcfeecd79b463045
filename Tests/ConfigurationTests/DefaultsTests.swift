import Testing

@testable import Configuration

@Suite struct DefaultsTests {
    @Test func withoutAFileTheSixWellKnownRegistriesAreProxiedOnLoopback() throws {
        let configuration = try accept("")
        #expect(
            configuration.repositories.map(\.name) == [
                "docker.io", "quay.io", "ghcr.io", "registry.k8s.io", "gcr.io", "mcr.microsoft.com",
            ])
        #expect(configuration.listeners.map { "\($0.address)" } == ["127.0.0.1:5000"])
        #expect(configuration.listeners[0].route == [.ns, .path, .root])
        #expect(configuration.listeners[0].repository == "docker.io")
        #expect("\(configuration.admin.address)" == "127.0.0.1:5001")
        #expect(configuration.warnings.isEmpty)
        let hub = try #require(configuration.proxy(ofRegistry: "docker.io")?.proxy)
        #expect("\(hub.upstreams[0].url)" == "https://registry-1.docker.io")
        #expect(hub.upstreams[0].realms.map { "\($0)" } == ["https://auth.docker.io/token"])
        let quay = try #require(configuration.repository(named: "quay.io")?.proxy)
        #expect("\(quay.upstreams[0].url)" == "https://quay.io")
        #expect(quay.upstreams[0].realms.map { "\($0)" } == ["https://quay.io/v2/auth"])
    }

    @Test func everyDefaultIsThatOfTheTable() throws {
        let configuration = try accept("")
        #expect(configuration.cache.maxSize == .percent(80))
        #expect(configuration.cache.minFree == .bytes(5 << 30))
        #expect(configuration.limits.connections == 4096)
        #expect(configuration.limits.connectionsPerAddress == 256)
        #expect(configuration.limits.requestsPerConnection == 10_000)
        #expect(configuration.limits.manifestSize == 4 << 20)
        #expect(configuration.limits.blobSize == 64 << 30)
        #expect(configuration.limits.headerTimeout == .seconds(10))
        #expect(configuration.limits.idleTimeout == .seconds(75))
        #expect(configuration.limits.writeTimeout == .seconds(60))
        #expect(configuration.limits.drainTimeout == .seconds(30))
        #expect(configuration.threads == ThreadsConfiguration(loops: 1, workers: 4))
        #expect(configuration.log == LogConfiguration(level: .info, format: .auto, access: true))
        let proxy = try #require(configuration.repositories[0].proxy)
        #expect(proxy.tagTTL == .seconds(900))
        #expect(proxy.missingTTL == .seconds(30))
        #expect(proxy.stale == .seconds(30 * 86400))
        #expect(proxy.connectTimeout == .seconds(3))
        #expect(proxy.tlsTimeout == .seconds(5))
        #expect(proxy.firstByteTimeout == .seconds(10))
        #expect(proxy.stallTimeout == .seconds(30))
        #expect(proxy.retries == 3)
        #expect(!proxy.insecure && !proxy.sharePrivate && !proxy.hasLogin && !proxy.offline)
    }

    @Test(arguments: [
        (["STATE_DIRECTORY": "/var/lib/a:/var/lib/b", "HOME": "/h"], false, "/var/lib/a"),
        (["STATE_DIRECTORY": "/var/lib/a"], true, "/var/lib/a"),
        (["HOME": "/root"], true, "/var/lib/cistern"),
        (["HOME": "/h", "XDG_DATA_HOME": "/d"], false, "/d/cistern"),
        (["HOME": "/h", "XDG_DATA_HOME": "relative"], false, "/h/.local/share/cistern"),
        (["HOME": "/h"], false, "/h/.local/share/cistern"),
    ])
    func theStoreIsWhereTheSystemKeepsSuchThings(
        environment: [String: String], isRoot: Bool, path: String
    ) throws {
        let host = Host(isRoot: isRoot, cores: 1, currentDirectory: "/")
        let configuration = try Configuration.parse("", environment: environment, host: host).get()
        #expect(configuration.cache.path == path)
        #expect(configuration.threads.workers == 2)
    }

    @Test func commandsComeByTheSocketThatSystemdHasAPlaceFor() throws {
        let host = Host(isRoot: true, cores: 1, currentDirectory: "/")
        func sockets(_ text: String, _ environment: [String: String]) throws -> [String] {
            let read = try Configuration.parse(text, environment: environment, host: host).get()
            #expect(read.adminSockets.first == read.adminSocket)
            return read.adminSockets
        }
        let store = "[cache]\npath = \"/s\"\n"
        let service = ["RUNTIME_DIRECTORY": "/run/a:/run/b"]
        #expect(try sockets(store, [:]) == ["/s/admin.sock", "/run/cistern/admin.sock"])
        #expect(try sockets(store, service) == ["/run/a/admin.sock"])
        #expect(try sockets(store, ["RUNTIME_DIRECTORY": "a"]).first == "/s/admin.sock")
        let named = store + "[admin]\nsocket = \"/x.sock\""
        #expect(try sockets(named, service) == ["/x.sock"])
    }

    @Test func withoutAnyHomeTheStoreMustBeNamed() throws {
        let errors = try refuse("", environment: [:])
        #expect(places(errors) == ["missing-key -"])
        let named = try accept("cache.path = \"/srv/cistern\"", environment: [:])
        #expect(named.cache.path == "/srv/cistern")
    }

    @Test func theBuiltInConfigurationNeedsNoFile() throws {
        let result = Configuration.load(path: nil, environment: home, host: .user)
        #expect(try result.get().source == nil)
    }

    @Test func aFileThatIsNotThereIsAnErrorAndNotTheDefault() {
        let result = Configuration.load(path: "/nonexistent/c.toml", environment: home, host: .user)
        guard case .failure(let errors) = result else {
            Issue.record("it was taken")
            return
        }
        #expect(
            errors.description == """
                error[file]: cannot read /nonexistent/c.toml: No such file or directory

                1 error
                """)
    }
}

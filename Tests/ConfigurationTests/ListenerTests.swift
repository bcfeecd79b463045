import Configuration
import Testing

@Suite struct ListenerTests {
    @Test(
        arguments: [
            ("127.0.0.1:5000", "127.0.0.1:5000", true), ("[::]:5000", "[::]:5000", false),
            (":5000", "0.0.0.0:5000", false), ("127.0.0.1:0", "127.0.0.1:0", true),
            ("systemd:registry", "systemd:registry", nil), ("[::1]:65535", "[::1]:65535", true),
        ] as [(String, String, Bool?)])
    func addressesAreNumericOrSystemds(text: String, written: String, isLoopback: Bool?) throws {
        let configuration = try accept("[[listener]]\naddress = \"\(text)\"\n")
        #expect("\(configuration.listeners[0].address)" == written)
        #expect(configuration.listeners[0].address.isLoopback == isLoopback)
    }

    @Test(arguments: [
        "", "5000", "127.0.0.1", "[::1]", "localhost:5000", "::1:5000", "1.2.3.4:65536",
        "1.2.3.4:-1", "1.2.3.4:", "unix:/run/x", "systemd:", "systemd:a:b", "[127.0.0.1]:1",
        "*:5000", "1.2.3.4:80x",
    ])
    func otherAddressesAreRefused(text: String) throws {
        let errors = try refuse("[[listener]]\naddress = \"\(text)\"\n")
        #expect(errors.diagnostics.map(\.code) == ["bad-address"])
    }

    @Test func rootNeedsARepository() throws {
        let quay = "[repositories.quay]\ntype = \"proxy\"\nregistry = \"quay.io\"\n"
        let ghcr = "[repositories.ghcr]\ntype = \"proxy\"\nregistry = \"ghcr.io\"\n"
        #expect(try accept(quay).listeners[0].repository == "quay")
        let two = try accept(quay + ghcr)
        #expect(two.listeners[0].route == [.ns, .path])
        #expect(two.listeners[0].repository == nil)
        let errors = try refuse(quay + ghcr + "[[listener]]\nroute = [\"root\"]\n")
        #expect(places(errors) == ["missing-key 8:9"])
        let near = try refuse(quay + ghcr + "[[listener]]\nrepository = \"qay\"\n")
        #expect(near.diagnostics.map(\.label) == ["did you mean `quay`?"])
        let idle = try refuse(
            quay + "[[listener]]\nroute = [\"ns\"]\nrepository = \"quay\"\n")
        #expect(places(idle) == ["bad-value 6:14"])
    }

    @Test(arguments: [
        ("route = []", "bad-value"), ("route = [\"ns\", \"ns\"]", "duplicate"),
        ("route = [\"root\", \"ns\"]", "bad-value"), ("route = \"ns\"", "bad-type"),
        ("hostnames = []", "bad-value"), ("hostnames = [\"a:5000\"]", "bad-value"),
        ("port = 5000", "unknown-key"),
    ])
    func listenersThatCannotWorkAreRefused(line: String, code: String) throws {
        #expect(try refuse("[[listener]]\n\(line)\n").diagnostics.map(\.code) == [code])
    }

    @Test func oneBracketTooFewIsTold() throws {
        let errors = try refuse("[listener]\naddress = \"127.0.0.1:5000\"\n")
        #expect(errors.diagnostics.map(\.help) == ["[[listener]] with two brackets on each side"])
    }

    @Test func addressesDoNotCollide() throws {
        let two = "[[listener]]\naddress = \"127.0.0.1:5000\"\n[[listener]]\naddress = "
        #expect(try accept(two + "\"127.0.0.2:5000\"").listeners.count == 2)
        #expect(try accept(two + "\"[::1]:5000\"").listeners.count == 2)
        #expect(places(try refuse(two + "\"127.0.0.1:5000\"")) == ["duplicate 4:11"])
        #expect(places(try refuse(two + "\"0.0.0.0:5000\"")) == ["duplicate 4:11"])
        #expect(places(try refuse("[admin]\naddress = \":5000\"")) == ["duplicate 2:11"])
        let free = "[[listener]]\naddress = \"127.0.0.1:0\"\n"
        #expect(try accept(free + free + "[admin]\naddress = \"127.0.0.1:0\"").listeners.count == 2)
    }

    // HTTP-6
    @Test func onLoopbackOnlyItsOwnNamesAreAnswered() throws {
        let loopback = try accept("").listeners[0]
        #expect(
            loopback.acceptedHostnames(boundToLoopback: true)
                == ["localhost", "127.0.0.1", "[::1]"])
        let open = try accept("[[listener]]\naddress = \":5000\"\n").listeners[0]
        #expect(open.acceptedHostnames(boundToLoopback: false) == nil)
        let named = try accept(
            "[[listener]]\nhostnames = [\"Cache.Example.org\", \"::1\"]\n"
        ).listeners[0]
        #expect(named.acceptedHostnames(boundToLoopback: true) == ["cache.example.org", "[::1]"])
        let any = try accept("[[listener]]\nhostnames = [\"*\"]\n").listeners[0]
        #expect(any.acceptedHostnames(boundToLoopback: true) == nil)
        let second = try accept("[[listener]]\naddress = \"127.0.0.2:1\"\n").listeners[0]
        #expect(second.acceptedHostnames(boundToLoopback: true)?.last == "127.0.0.2")
    }

    @Test func aReloadNamesWhatNeedsARestart() throws {
        let old = try accept("")
        #expect(Configuration.changesRequiringRestart(from: old, to: old).isEmpty)
        let limits = try accept("limits.blob_size = \"1GiB\"\ncache.max_size = \"1GiB\"\n")
        #expect(Configuration.changesRequiringRestart(from: old, to: limits).isEmpty)
        let all = try accept(
            """
            cache.path = "/srv"
            admin.address = "127.0.0.1:1"
            threads.loops = 2
            threads.workers = 9
            limits.connections = 5
            limits.idle_timeout = "7s"
            log.access = "off"
            listener = [{ address = "127.0.0.1:2", hostnames = ["*"] }]
            """)
        #expect(
            Configuration.changesRequiringRestart(from: old, to: all) == [
                "cache.path", "listener.address", "listener.hostnames", "admin.address",
                "threads.loops", "threads.workers", "limits.connections", "limits.idle_timeout",
                "log.access",
            ])
    }
}

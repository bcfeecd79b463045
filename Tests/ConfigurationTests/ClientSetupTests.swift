import Configuration
import Testing

@Suite struct ClientSetupTests {
    private func setup(
        _ text: String = "", server: String? = nil, registries: [String] = [], falls: Bool = true
    ) throws -> ClientSetup {
        try ClientSetup(
            configuration: try accept(text), server: server, registries: registries,
            fallsBack: falls)
    }

    @Test func containerdAsksTheCacheFirstAndTheRegistryLast() throws {
        let text = try setup(registries: ["index.docker.io", "quay.io"]).containerd()
        #expect(
            text == """
                # /etc/containerd/certs.d/docker.io/hosts.toml
                server = "https://registry-1.docker.io"  # asked when the cache does not answer

                [host."http://127.0.0.1:5000"]
                  capabilities = ["pull", "resolve"]
                  dial_timeout = "200ms"

                # /etc/containerd/certs.d/quay.io/hosts.toml
                server = "https://quay.io"  # asked when the cache does not answer

                [host."http://127.0.0.1:5000"]
                  capabilities = ["pull", "resolve"]
                  dial_timeout = "200ms"

                """)
    }

    @Test func withoutFallbackNothingButTheCacheIsAsked() throws {
        let setup = try setup(
            server: "https://cache.example.org", registries: ["quay.io"], falls: false)
        #expect(
            try setup.containerd() == """
                # /etc/containerd/certs.d/quay.io/hosts.toml
                server = "https://cache.example.org"  # the cache too: nothing else is ever asked

                [host."https://cache.example.org"]
                  capabilities = ["pull", "resolve"]
                  dial_timeout = "1s"

                """)
        #expect(
            try setup.podman() == """
                # /etc/containers/registries.conf.d/50-cistern.conf
                [[registry]]
                prefix = "quay.io"
                location = "cache.example.org/quay.io"

                """)
    }

    @Test func podmanFindsRegistriesByPath() throws {
        #expect(
            try setup(registries: ["docker.io"]).podman() == """
                # /etc/containers/registries.conf.d/50-cistern.conf
                [[registry]]
                prefix = "docker.io"
                location = "docker.io"

                [[registry.mirror]]
                location = "127.0.0.1:5000/docker.io"
                insecure = true

                """)
    }

    @Test func dockerMirrorsDockerHubOnly() throws {
        let text = try setup(server: "http://cache:5000").docker()
        #expect(
            text.json == """
                {
                  "registry-mirrors": ["http://cache:5000"]
                }

                """)
        #expect(text.notes.contains { $0.contains("docker pull cache:5000/quay.io/NAME") })
        #expect(throws: ClientSetup.Failure.self) {
            try setup(registries: ["quay.io"]).docker()
        }
    }

    @Test func aPortForOneRepositoryIsUsedAsItIs() throws {
        let text = """
            [[listener]]
            address = "0.0.0.0:5000"
            route = ["path"]
            [[listener]]
            address = "0.0.0.0:5010"
            route = ["root"]
            repository = "all"
            [repositories.hub]
            type = "proxy"
            registry = "docker.io"
            [repositories.local]
            type = "proxy"
            registry = "registry.example.org:5000"
            [repositories.all]
            type = "group"
            members = ["hub"]
            """
        let root = try setup(text, server: "http://127.0.0.1:5010", registries: ["docker.io"])
        #expect(try root.containerd().contains("[host.\"http://127.0.0.1:5010\"]"))
        #expect(try root.podman().contains("location = \"127.0.0.1:5010\"\n"))
        #expect(try root.docker().json.contains("[\"http://127.0.0.1:5010\"]"))
        let path = try setup(text)
        let containerd = try path.containerd()
        #expect(containerd.contains("[host.\"http://127.0.0.1:5000/docker.io\"]"))
        #expect(containerd.contains("certs.d/registry.example.org_5000_/hosts.toml"))
        #expect(containerd.contains("[host.\"http://127.0.0.1:5000/local\"]"))
        #expect(try path.podman().contains("location = \"127.0.0.1:5000/local\""))
        #expect(try path.docker().json.contains("[\"http://127.0.0.1:5000/docker.io\"]"))
        #expect(throws: ClientSetup.Failure.self) {
            try setup(text, server: "http://x:5010").containerd()
        }
    }

    @Test func theServerIsTheFirstListenerUnlessNamed() throws {
        let open = "[[listener]]\naddress = \"systemd:x\"\n[[listener]]\naddress = \":6000\"\n"
        let text = try setup(open, registries: ["quay.io"]).containerd()
        #expect(text.contains("[host.\"http://127.0.0.1:6000\"]"))
        let bare = try setup(server: "cache:5000", registries: ["quay.io"]).containerd()
        #expect(bare.contains("[host.\"http://cache:5000\"]"))
    }

    @Test func unknownRegistriesAndServersAreErrors() {
        #expect(throws: ClientSetup.Failure.unknownRegistry("qay.io", meant: "quay.io")) {
            try setup(registries: ["qay.io"])
        }
        #expect(throws: ClientSetup.Failure.server("http://a b")) {
            try setup(server: "http://a b")
        }
    }
}

import Configuration
import TestSupport
import Testing

@Suite struct SecretTests {
    private func proxy(_ password: String, _ more: String = "") -> String {
        """
        [repositories."quay.io"]
        type = "proxy"
        username = "ann"
        password = \(password)
        \(more)
        """
    }

    private func text(_ secret: Secret?) -> String? {
        secret.map { String(decoding: $0.bytes, as: UTF8.self) }
    }

    // CRED-5
    @Test func anyBytesButLineEndsAndNULAreAPassword() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write("p", "#&%:@/ \u{FF}ü\n", mode: 0o600)
        let credentials = try #require(
            try accept(proxy("{ file = \"\(path)\" }")).repositories[0].proxy?.upstreams[0]
                .credentials)
        #expect(text(credentials.password) == "#&%:@/ \u{FF}ü")
        #expect(credentials.username == "ann")
        #expect(credentials.source == .file(path))
        for bad in ["a\nb", "a\rb", "a\0b", "", "\n", "a\n\n"] {
            let path = try directory.write("bad", bad, mode: 0o600)
            let errors = try refuse(proxy("{ file = \"\(path)\" }"))
            #expect(errors.diagnostics.map(\.code) == ["bad-secret"])
            Files.removeTree(path)
        }
    }

    // LOC-1
    @Test(arguments: [0o640, 0o604, 0o660, 0o644, 0o601] as [UInt32])
    func aFileThatOthersCanReadIsRefused(mode: UInt32) throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write("p", "hunter2", mode: mode)
        let errors = try refuse(proxy("{ file = \"\(path)\" }"))
        #expect(errors.diagnostics.map(\.help) == ["chmod 600 \(path)"])
    }

    @Test func credentialsOfSystemdLieInItsDirectory() throws {
        let directory = try TemporaryDirectory()
        // An ACL for the service shows as a group bit.
        try directory.write("quay", "hunter2\n", mode: 0o440)
        var environment = home
        let configuration = proxy("{ credential = \"quay\" }")
        #expect(
            try refuse(configuration).diagnostics.map(\.message)
                == ["credential quay cannot be read: $CREDENTIALS_DIRECTORY is not set"])
        environment["CREDENTIALS_DIRECTORY"] = directory.path
        let read = try accept(configuration, environment: environment)
        #expect(text(read.repositories[0].proxy?.upstreams[0].credentials?.password) == "hunter2")
    }

    @Test func aCheckOutsideTheServiceOnlyWarnsOfCredentials() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write("c.toml", proxy("{ credential = \"quay\" }"))
        let result = Configuration.load(
            path: path, environment: home, host: .user, purpose: .check)
        #expect(try result.get().warnings.map(\.code) == ["bad-secret"])
    }

    @Test func environmentVariablesCanHoldASecret() throws {
        var environment = home
        environment["TOKEN"] = "hunter2"
        let read = try accept(proxy("{ env = \"TOKEN\" }"), environment: environment)
        #expect(text(read.repositories[0].proxy?.upstreams[0].credentials?.password) == "hunter2")
        #expect(try refuse(proxy("{ env = \"TOKEN\" }")).diagnostics.map(\.code) == ["bad-secret"])
    }

    @Test(arguments: [
        "\"hunter2\"", "{}", "{ file = \"relative\" }", "{ credential = \"../x\" }", "5", "[]",
        "{ env = \"A=B\" }", "{ file = \"/a\", env = \"B\" }", "{ fil = \"/a\" }", "{ file = 5 }",
        "{ file = \"/nonexistent\" }", "{ file = \"/dev/null\" }", "{ file = \"/etc\" }",
    ])
    func otherSecretsAreRefused(value: String) throws {
        #expect(try refuse(proxy(value)).diagnostics.map(\.code) == ["bad-secret"])
    }

    // CRED-6
    @Test func aSecretIsNeverPrinted() throws {
        var environment = home
        environment["TOKEN"] = "hunter2"
        let configuration = try accept(proxy("{ env = \"TOKEN\" }"), environment: environment)
        var dumped = "\(configuration)" + String(reflecting: configuration)
        dump(configuration, to: &dumped)
        #expect(dumped.contains("ann"))
        #expect(!dumped.contains("hunter2") && !dumped.contains("104"))
    }

    // AUTH-8
    @Test func whatALoginOpensIsNotForEveryone() throws {
        var environment = home
        environment["T"] = "hunter2"
        let login = proxy("{ env = \"T\" }")
        let open = "[[listener]]\naddress = \"0.0.0.0:5000\"\n"
        _ = try accept(login, environment: environment)
        #expect(
            places(try refuse(login + open, environment: environment)) == ["exposed 4:12"])
        let flag = ConfigurationSource.Flags(listen: [":5000"])
        #expect(
            places(try refuse(login, environment: environment, flags: flag)) == ["exposed 4:12"])
        _ = try accept(
            proxy("{ env = \"T\" }", "share_private = true\n") + open, environment: environment)
        let other = "[repositories.a]\ntype = \"proxy\"\nregistry = \"a.b\"\n"
        _ = try accept(
            login + open + "route = [\"root\"]\nrepository = \"a\"\n" + other,
            environment: environment)
        let group = "[repositories.g]\ntype = \"group\"\nmembers = [\"a\", \"quay.io\"]\n"
        let through = try refuse(
            login + open + "route = [\"root\"]\nrepository = \"g\"\n" + other + group,
            environment: environment)
        #expect(places(through) == ["exposed 4:12"])
        for address in ["[::]:5000", "0.0.0.0:0", ":5000", "192.0.2.1:5000", "[fe80::1]:5000"] {
            environment["CISTERN__LISTENER"] = "[{ address = \"\(address)\" }]"
            let overridden = try refuse(login, environment: environment)
            #expect(places(overridden) == ["exposed 4:12"], "\(address)")
        }
        environment["CISTERN__LISTENER"] = nil
        let systemd = try accept(
            login + "[[listener]]\naddress = \"systemd:x\"\n", environment: environment)
        #expect(systemd.unsharedRepositories(reachableFrom: systemd.listeners[0]) == ["quay.io"])
    }
}

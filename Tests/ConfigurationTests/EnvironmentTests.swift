import Testing

@testable import Configuration

@Suite struct EnvironmentTests {
    private func with(_ variables: [String: String]) -> [String: String] {
        home.merging(variables) { $1 }
    }

    @Test func flagsWinOverTheEnvironmentAndThatOverTheFile() throws {
        let file = "[cache]\nmax_size = \"1GiB\"\nmin_free = \"1GiB\"\npath = \"/file\"\n"
        let environment = with([
            "CISTERN__CACHE__MAX_SIZE": "2GiB", "CISTERN__CACHE__PATH": "/environment",
        ])
        let configuration = try accept(
            file, environment: environment, flags: .init(listen: [":6000"], store: "flag"))
        #expect(configuration.cache.minFree == .bytes(1 << 30))
        #expect(configuration.cache.maxSize == .bytes(2 << 30))
        #expect(configuration.cache.path == "/work/flag")
        #expect(configuration.listeners.map { "\($0.address)" } == ["0.0.0.0:6000"])
    }

    @Test func everyKindOfValueCanBeSet() throws {
        let configuration = try accept(
            "",
            environment: with([
                "CISTERN__LIMITS__CONNECTIONS": "7",
                "cistern__log__ACCESS": "off",
                "CISTERN__LOG__LEVEL": "debug",
                "CISTERN__DEFAULTS__PROXY__TAG-TTL": "1h",
                "CISTERN__DEFAULTS__PROXY__ALLOW_NETWORKS": "[\"10.0.0.0/8\"]",
                "CISTERN__REPOSITORIES__DOCKER_IO__RETRIES": "1",
                "CISTERN__REPOSITORIES__QUAY_IO__INSECURE": "true",
                "CISTERN__LISTENER": "[{ address = \"0.0.0.0:5000\", route = [\"ns\"] }]",
            ]))
        #expect(configuration.limits.connections == 7)
        #expect(!configuration.log.access && configuration.log.level == .debug)
        #expect(configuration.repositories[1].proxy?.tagTTL == .seconds(3600))
        #expect(configuration.repositories[1].proxy?.allowNetworks.count == 1)
        #expect(configuration.repositories[0].proxy?.retries == 1)
        #expect(configuration.repositories[1].proxy?.insecure == true)
        #expect(configuration.listeners.map(\.route) == [[.ns]])
    }

    @Test func wholeRepositoriesCanBeSet() throws {
        let table = "{ hub = { type = \"proxy\", registry = \"docker.io\" } }"
        let configuration = try accept(
            "",
            environment: with([
                "CISTERN__REPOSITORIES": table, "CISTERN__REPOSITORIES__HUB__RETRIES": "2",
            ]))
        #expect(configuration.repositories.map(\.name) == ["hub"])
        #expect(configuration.repositories[0].proxy?.retries == 2)
    }

    @Test(
        arguments: [
            ("CISTERN__CACHE__MAX_SIZ", "CISTERN__CACHE__MAX_SIZE"),
            ("CISTERN__STORE__SIZE", "CISTERN__CACHE__MAX_SIZE"),
            ("CISTERN__REPOSITORIES__DOKER_IO__TTL", "CISTERN__REPOSITORIES__DOCKER_IO__TAG_TTL"),
            ("CISTERN__DEFAULTS__PROXIES__STALL", "CISTERN__DEFAULTS__PROXY__STALE"),
            ("CISTERN__", nil), ("CISTERN____", nil), ("CISTERN__X__Y__Z__W", nil),
            ("CISTERN__LISTENER__ADDRESS", nil),
            ("CISTERN__REPOSITORIES__NOTHINGLIKEIT__TYPE", nil),
            ("CISTERN__CACHE__PATH__X", nil),
        ] as [(String, String?)])
    func unknownVariablesAreErrors(name: String, meant: String?) throws {
        let errors = try refuse("", environment: with([name: "x"]))
        #expect(errors.diagnostics.map(\.code) == ["unknown-variable"])
        #expect(errors.diagnostics[0].label == meant.map { "did you mean \($0)?" })
        #expect((errors.diagnostics[0].help == nil) == (meant != nil))
    }

    @Test func variablesThatKubernetesMakesAreLeftAlone() throws {
        _ = try accept(
            "", environment: with(["CISTERN_PORT": "tcp://10.0.0.1:5000", "CISTERN_ARGS": "-c x"]))
    }

    @Test(arguments: [
        ("CISTERN__THREADS__LOOPS", "two", "bad-type"), ("CISTERN__THREADS__LOOPS", "", "bad-type"),
        ("CISTERN__THREADS__LOOPS", "1\nx = 2", "bad-type"), ("CISTERN__LISTENER", "[", "syntax"),
        ("CISTERN__CACHE", "5", "bad-type"), ("CISTERN__LISTENER", "[5]", "bad-type"),
        ("CISTERN__LISTENER", "[{ addres = \"x\" }]", "unknown-key"),
        ("CISTERN__DEFAULTS__PROXY__RETRIES", "99", "bad-value"),
    ])
    func wrongValuesAreErrorsAtTheirVariable(name: String, value: String, code: String) throws {
        let errors = try refuse("", environment: with([name: value]))
        #expect(errors.diagnostics.map(\.code) == [code])
        #expect(errors.diagnostics[0].location?.source == "environment")
    }

    @Test func wrongFlagsAreErrorsAtTheirFlag() throws {
        let errors = try refuse("", flags: .init(listen: ["nope"], store: "", maxSize: "50"))
        #expect(Set(errors.diagnostics.map { $0.location?.source }) == ["command line"])
        #expect(Set(errors.diagnostics.map(\.code)) == ["bad-address", "bad-value", "bad-size"])
    }

    @Test func everyKeyOfThePlainTablesCanBeNamed() {
        for section in [CacheKeys.section, LimitsKeys.section, LogKeys.section] {
            for key in section.keys {
                let path = OptionPath([section.name, key.name], repositories: [])
                #expect(path?.key == key.name)
            }
        }
    }
}

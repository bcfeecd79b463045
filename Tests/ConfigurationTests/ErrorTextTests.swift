import Configuration
import Testing

@Suite struct ErrorTextTests {
    @Test func allErrorsComeAtOnceWithPlaceAndFix() throws {
        let errors = try refuse(
            """
            [cache]
            max_size = 50

            [repositories.quay]
            type = "proxy"
            registry = "quay.io"
            remote = "https://quay.io"
            tag_ttl = "15"

            [repositories.all]
            type = "group"
            members = ["quay", "dev"]

            [repositories.dev]
            type = "group"
            members = ["all", "qay"]
            """)
        #expect(
            errors.description == """
                error[bad-size]: max_size = 50 has no unit
                  --> c.toml:2:12
                   |
                2  | max_size = 50
                   |            ^^
                   = help: "50GiB" (or "50%" of the file system)

                error[unknown-key]: unknown key `remote` in a proxy repository
                  --> c.toml:7:1
                   |
                7  | remote = "https://quay.io"
                   | ^^^^^^ did you mean `upstream`?

                error[bad-duration]: tag_ttl = "15" has no unit
                  --> c.toml:8:11
                   |
                8  | tag_ttl = "15"
                   |           ^^^^
                   = help: "15s" or "15m"

                error[cycle]: group `all` contains `dev` contains `all`
                  --> c.toml:12:11
                   |
                12 | members = ["quay", "dev"]
                   |           ^^^^^^^^^^^^^^^

                error[unknown-member]: group `dev` names `qay`, which is no repository
                  --> c.toml:16:19
                   |
                16 | members = ["all", "qay"]
                   |                   ^^^^^ did you mean `quay`?

                5 errors
                """)
    }

    @Test func brokenLinesDoNotHideOtherErrors() throws {
        let errors = try refuse(
            """
            [cache]
            max_size = 50GiB   # quotes forgotten
            min_free = = 3
            min_fre = "1GiB"
            [log]
            level = loud
            """)
        #expect(
            places(errors) == [
                "syntax 2:12", "syntax 3:12", "unknown-key 4:1", "bad-value 6:9", "syntax 6:9",
            ]
                || places(errors) == [
                    "syntax 2:12", "syntax 3:12", "unknown-key 4:1", "syntax 6:9", "bad-value 6:9",
                ])
        #expect(errors.diagnostics[0].help == "max_size = \"50GiB\"")
    }

    @Test func whatIsMissingIsNotReportedWhereLinesWereLeftOut() throws {
        let errors = try refuse("[repositories.a]\ntype = \"proxy\"\nregistry = \"a\\q\"\n")
        #expect(places(errors) == ["syntax 3:15"])
    }

    @Test(arguments: [
        ("remoteurl", "upstream"), ("ttl", "tag_ttl"), ("max-stale", "stale"), ("ca", "ca_file"),
        ("remotes", "upstreams"), ("tagttl", "tag_ttl"), ("usrename", "username"),
        ("insecure_skip_verify", "insecure"), ("proxy_url", "upstream"), ("Registry", "registry"),
    ])
    func wordsOfOtherToolsAreLedOver(word: String, meant: String) throws {
        let errors = try refuse("[repositories.\"quay.io\"]\ntype = \"proxy\"\n\(word) = 1\n")
        #expect(errors.diagnostics.first?.label == "did you mean `\(meant)`?")
    }

    @Test(arguments: [
        ("storage", "cache"), ("http", "listener"), ("proxy", "repositories"), ("cahce", "cache"),
        ("logging", "log"), ("metrics", "admin"),
    ])
    func tablesOfOtherToolsAreLedOver(word: String, meant: String) throws {
        let errors = try refuse("[\(word)]\nx = 1\n")
        #expect(errors.diagnostics.first?.label == "did you mean `\(meant)`?")
    }

    @Test func aKeyInTheWrongTableIsToldItsOwn() throws {
        let errors = try refuse("[cache]\nretries = 3\n")
        #expect(errors.diagnostics[0].help == "`retries` is a key of [defaults.proxy]")
    }

    @Test func longLinesAreCutAroundThePlace() throws {
        let long = String(repeating: "x", count: 5000)
        let errors = try refuse("[cache]\n\(long) = 1\nsize2 = \"\(long)\"\n")
        for line in errors.description.split(separator: "\n") { #expect(line.count < 260) }
    }

    // CRED-7
    @Test func controlCharactersOfTheFileDoNotReachTheTerminal() throws {
        let errors = try refuse("a = 1 \u{1B}[31m\n\"k\\u001B[31m\" = 2 # \u{202E}x\n")
        #expect(!errors.description.contains("\u{1B}"))
        #expect(!errors.description.contains("\u{202E}"))
    }

    // CRED-6
    @Test(arguments: [
        "[repositories.a]\ntype = \"proxy\"\nusername = \"u\"\npassword = \"hunter2\"",
        "[repositories.a]\ntype = \"proxy\"\nregistry = \"a.b\"\npassword = [\n\"hunter2\",\n]",
        "[repositories.a]\nPassword = \"hunter2\"",
        "[repositories.a]\npassword = hunter2",
        "[repositories.a]\npassword = \"hunter2",
        "[repositories.a]\npassword = \"\"\"\nhunter2\n\u{1}\"\"\"",
        "[repositories.a]\npassword = \"\"\"\nhunter2\n",
        "[repositories.a]\npassword = { file = \"hunter2\" }\nx",
        "[repositories.a]\nupstream = \"https://ann:hunter2@quay.io\"",
        "[repositories.a]\nremote = \"https://ann:hunter2@quay.io\"",
        "[repositories.a]\nupstream = https://ann:hunter2@quay.io",
        "[repositories.a]\nurl = \"https://ann:hun/ter\\\"hunter2@quay.io\"",
        "[repositories.a]\nrealms = [\"https://a.b/token\", \"https://ann:hunter2@quay.io\"]",
    ])
    func noErrorShowsASecret(text: String) throws {
        let errors = try refuse(text)
        #expect(!"\(errors)".contains("hunter2"))
        for diagnostic in errors.diagnostics { #expect(!diagnostic.summary.contains("hunter2")) }
    }

    @Test func environmentErrorsShowTheVariableWithoutSecrets() throws {
        let errors = try refuse(
            "",
            environment: home.merging([
                "CISTERN__CACHE__MAX_SIZE": "50",
                "CISTERN__REPOSITORIES__DOCKER_IO__PASSWORD": "hunter2",
            ]) { $1 })
        #expect(!"\(errors)".contains("hunter2"))
        #expect(
            "\(errors)".hasPrefix(
                """
                error[bad-size]: max_size = "50" has no unit
                  --> environment
                   |
                   | CISTERN__CACHE__MAX_SIZE=50
                   |                          ^^
                   = help: "50GiB" (or "50%" of the file system)
                """))
    }
}

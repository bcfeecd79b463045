import Glibc
import TLS
import TestSupport
import Testing

@testable import Configuration

/// `[tls.NAME]` and `listener.tls`.
@Suite struct TLSTests {
    private struct Site {
        let authority: TestAuthority
        let office: TestAuthority.Pair
        let lab: TestAuthority.Pair

        init() throws {
            authority = try TestAuthority()
            office = try authority.issue(["cache.example"], file: "office")
            lab = try authority.issue(["lab.example"], file: "lab")
        }

        func table(_ pair: TestAuthority.Pair, _ name: String, _ more: String = "") -> String {
            """
            [tls.\(name)]
            certificate = "\(pair.certificate)"
            key = "\(pair.key)"
            \(more)

            """
        }

        func listener(_ value: String) -> String {
            "[[listener]]\naddress = \"127.0.0.1:5443\"\ntls = \(value)\n"
        }
    }

    private static let shared = Result { try Site() }
    private var site: Site { get throws { try Self.shared.get() } }

    @Test func aListenerNamesItsCertificates() throws {
        let site = try site
        let one = try accept(site.listener("\"office\"") + site.table(site.office, "office"))
        #expect(one.listeners[0].tls == ["office"])
        #expect(one.certificates(of: one.listeners[0]).map(\.minVersion) == [.tls12])
        #expect(one.listeners[0].acceptedHostnames(boundToLoopback: true) == nil)
        #expect(one.warnings.isEmpty)
        let several = try accept(
            site.listener("[\"lab\", \"office\"]") + site.table(site.office, "office")
                + site.table(site.lab, "lab"))
        #expect(
            several.certificates(of: several.listeners[0]).map(\.name) == ["lab", "office"])
        #expect("\(one.tls)".contains("BEGIN PRIVATE") == false)
    }

    @Test func keysComeFromWhereSecretsDo() throws {
        let site = try site
        let environment = home.merging([
            "KEY": try Files.text(site.office.key),
            "CREDENTIALS_DIRECTORY": site.authority.directory.path,
        ]) { $1 }
        for source in [
            "{ file = \"\(site.office.key)\" }", "{ env = \"KEY\" }",
            "{ credential = \"office.key\" }",
        ] {
            let text = """
                \(site.listener("\"a\""))
                [tls.a]
                certificate = "\(site.office.certificate)"
                key = \(source)
                """
            _ = try accept(text, environment: environment)
        }
        let variables = home.merging([
            "CISTERN__TLS__A__MIN_VERSION": "1.3", "CISTERN__TLS__A__KEY": site.office.key,
        ]) { $1 }
        let bare = "[tls.a]\ncertificate = \"\(site.office.certificate)\"\n"
        let set = try accept(site.listener("\"a\"") + bare, environment: variables)
        #expect(set.tls.map(\.minVersion) == [.tls13])
    }

    @Test func whatCannotBeUsedIsSaidWithItsPlace() throws {
        let site = try site
        let (chain, key) = (site.office.certificate, site.office.key)
        let open = try site.authority.directory.write("open.key", Files.text(key), mode: 0o644)
        let cases = [
            ("certificate = \"/nowhere\"\nkey = \"\(key)\"", "file 5:15"),
            ("certificate = \"\(key)\"\nkey = \"\(key)\"", "bad-certificate 5:15"),
            ("certificate = \"\(chain)\"\nkey = \"/nowhere\"", "bad-secret 6:7"),
            ("certificate = \"\(chain)\"\nkey = \"\(chain)\"", "bad-secret 6:7"),
            ("certificate = \"\(chain)\"\nkey = \"\(open)\"", "bad-secret 6:7"),
            ("certificate = \"\(chain)\"\nkey = \"secret\"", "bad-secret 6:7"),
            ("certificate = \"\(chain)\"\nkey = \"\(site.lab.key)\"", "bad-certificate 6:7"),
            ("key = \"\(key)\"", "missing-key 4:6"),
            ("certificate = \"\(chain)\"", "missing-key 4:6"),
            (
                "certificate = \"\(chain)\"\nkey = \"\(key)\"\nmin_version = \"1.1\"",
                "bad-value 7:15"
            ),
            (
                "certificate = \"\(chain)\"\nkey = \"\(key)\"\nclient_ca = \"\(key)\"",
                "bad-certificate 7:13"
            ),
            ("certificate = \"\(chain)\"\nkey = \"\(key)\"\nciphers = \"\"", "unknown-key 7:1"),
        ]
        for (lines, wanted) in cases {
            let errors = try refuse(site.listener("\"a\"") + "[tls.a]\n" + lines)
            #expect(places(errors) == [wanted], "\(lines)")
            #expect(!"\(errors)".contains("PRIVATE KEY"))
        }
    }

    @Test func listenersAndCertificatesFit() throws {
        let site = try site
        let office = site.table(site.office, "office")
        let near = try refuse(site.listener("\"ofice\"") + office)
        #expect(places(near) == ["unknown-member 3:7"])
        #expect(near.diagnostics.map(\.label) == ["did you mean `office`?"])
        #expect(places(try refuse(site.listener("[]") + office)) == ["bad-value 3:7"])
        #expect(places(try refuse(site.listener("1") + office)) == ["bad-type 3:7"])
        #expect(
            places(try refuse(site.listener("[\"office\", \"office\"]") + office))
                == ["duplicate 3:18"])
        let strict = site.table(site.lab, "lab", "min_version = \"1.3\"")
        #expect(
            places(try refuse(site.listener("[\"office\", \"lab\"]") + office + strict))
                == ["conflict 3:18"])
        let unused = try accept(office)
        #expect(unused.warnings.map(\.code) == ["unused"])
    }

    @Test func anExpiredCertificateIsAWarning() throws {
        let site = try site
        let old = try site.authority.issue(["old.example"], file: "old", days: -1)
        let configuration = try accept(site.listener("\"old\"") + site.table(old, "old"))
        #expect(configuration.warnings.map(\.code) == ["expired"])
    }

    // OPS-2
    @Test func certificatesChangeByReloadButNotWhetherThereAreAny() throws {
        let site = try site
        let plain = try accept("[[listener]]\naddress = \"127.0.0.1:5443\"\n")
        let office = try accept(
            site.listener("\"office\"") + site.table(site.office, "office"))
        let lab = try accept(site.listener("\"lab\"") + site.table(site.lab, "lab"))
        #expect(Configuration.changesRequiringRestart(from: office, to: lab).isEmpty)
        #expect(
            Configuration.changesRequiringRestart(from: plain, to: lab) == ["listener.tls"])
    }

    @Test func clientsAreLedToHTTPS() throws {
        let site = try site
        let configuration = try accept(
            site.listener("\"office\"") + site.table(site.office, "office"))
        for (server, wanted) in [
            (nil, "https://127.0.0.1:5443"), ("cache.example:5443", "https://cache.example:5443"),
            ("http://front.example", "http://front.example"),
        ] as [(String?, String)] {
            let setup = try ClientSetup(
                configuration: configuration, server: server, registries: ["docker.io"],
                fallsBack: true)
            #expect(try setup.containerd().contains("[host.\"\(wanted)\"]"))
            #expect(try setup.podman().contains("insecure") == wanted.hasPrefix("http:"))
        }
    }
}

import Linux
import Testing

@testable import Upstream

@Suite struct AddressPolicyTests {
    private func policy(allowing networks: [String] = []) throws -> AddressPolicy {
        AddressPolicy(
            configured: try #require(RemoteURL(parsing: "http://registry:5000")).origin,
            allowed: networks.compactMap { Network(parsing: $0) })
    }

    private let other = Origin(scheme: .http, host: "registry", port: 5001)

    @Test(arguments: [
        "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1",
        "127.255.255.255", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "192.0.0.8", "198.19.0.1", "224.0.0.1", "239.255.255.255", "255.255.255.255", "::", "::1",
        "::127.0.0.1", "fe80::1", "febf::1", "fec0::1", "fc00::1", "fd12:3456::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.1.2.3", "2002:7f00:1::", "2002:a00:1::1",
        "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2001::1", "100::1",
    ])
    func addressesThatAreNotPublicAreRefused(text: String) throws {  // SSRF-3
        let address = try #require(IPAddress(parsing: text))
        #expect(try !policy().permits(address, for: other))
    }

    @Test(arguments: [
        "1.1.1.1", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.167.1.1",
        "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1", "2a00::1",
    ])
    func publicAddressesArePermitted(text: String) throws {
        let address = try #require(IPAddress(parsing: text))
        #expect(try policy().permits(address, for: other))
    }

    @Test func theConfiguredOriginMayBeAnywhereAndNothingElseThere() throws {
        let policy = try policy()
        let address = try #require(IPAddress(parsing: "10.0.0.1"))
        #expect(policy.permits(address, for: policy.configured))
        #expect(!policy.permits(address, for: other))
        #expect(
            !policy.permits(address, for: Origin(scheme: .https, host: "registry", port: 5000)))
    }

    @Test func listedNetworksArePermittedInEveryForm() throws {
        let policy = try policy(allowing: ["10.0.0.0/8", "127.0.0.13/32", "fd00::/8"])
        for text in ["10.255.0.1", "127.0.0.13", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1"] {
            #expect(policy.permits(try #require(IPAddress(parsing: text)), for: other), "\(text)")
        }
        for text in ["11.0.0.1", "127.0.0.14", "::ffff:127.0.0.1", "fc00::1"] {
            let permitted = policy.permits(try #require(IPAddress(parsing: text)), for: other)
            #expect(permitted == (text == "11.0.0.1"), "\(text)")
        }
    }

    @Test func networksAreWrittenExactly() throws {
        #expect(Network(parsing: "10.0.0.0/8")?.description == "10.0.0.0/8")
        #expect(Network(parsing: "127.0.0.1")?.description == "127.0.0.1/32")
        #expect(Network(parsing: "::/0")?.description == "::/0")
        #expect(try #require(Network(parsing: "0.0.0.0/0")).contains(.v4(.max)))
        for text in [
            "", "/", "10.0.0.0/", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/-1", "10.0.0.0/+8",
            "10/8", "::/129", "10.0.0.0/8/8", "x/8", "10.0.0.0/99999999999999999999",
        ] { #expect(Network(parsing: text) == nil, "\(text)") }
    }
}

import Testing

@testable import HTTP

/// A client's login on its way to the upstream (CRED-4, CRED-5).
struct BasicAuthorizationTests {
    private func read(_ values: String...) -> String {
        switch BasicAuthorization.read(values) {
        case .none: return "none"
        case .unusable: return "unusable"
        case .login(let login):
            let parts = [login.username, login.password].map { String(decoding: $0, as: UTF8.self) }
            return parts.joined(separator: "|")
        }
    }

    @Test(arguments: [
        ("Basic YW5uOnB3", "ann|pw"), ("basic YW5uOnB3", "ann|pw"), ("BASIC  YW5uOnB3 ", "ann|pw"),
        ("Basic YW5uOg==", "ann|"), ("Basic YW5uOg", "ann|"), ("Basic YW5uOnB", "ann|p"),
        ("Basic YTpiOmM=", "a|b:c"),
        ("Basic YTrDvA==", "a|ü"),
    ])
    func aLoginIsRead(value: String, login: String) {
        #expect(read(value) == login)
    }

    // podman and skopeo send an empty login where there is none.
    @Test func nobodyIsNoLogin() {
        #expect(BasicAuthorizationTests().read() == "none")
        #expect(read("Basic Og==") == "none")
        #expect(read("Basic OnB3") == "none")
    }

    @Test(arguments: [
        "", "Basic", "Basic ", "Bearer YW5uOnB3", "Basic YW5u", "Basic YW5uO", "Basic ====",
        "Basic YW5uOnB3=", "Basic YW5uOnB3==", "Basic YW5u-OnB3", "Basic YW5uOnB3 YW5uOnB3",
        "Basic YQo6Yg==", "Basic YToAYg==", "Negotiate x", "Basic é",
    ])
    func anythingElseIsUnusable(value: String) {
        #expect(read(value) == "unusable")
    }

    @Test func twoLoginsAreNone() {
        #expect(read("Basic YW5uOnB3", "Basic YW5uOnB3") == "unusable")
        #expect(read("Basic " + String(repeating: "A", count: 9000)) == "unusable")
    }

    // CRED-6
    @Test func aLoginIsNeverPrinted() {
        guard case .login(let login) = BasicAuthorization.read(["Basic YW5uOmh1bnRlcjI="]) else {
            Issue.record("no login")
            return
        }
        var dumped = "\(login)" + String(reflecting: login)
        dump(login, to: &dumped)
        #expect(!dumped.contains("hunter2") && !dumped.contains("104"))
    }
}

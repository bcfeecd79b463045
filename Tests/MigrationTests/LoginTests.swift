import TestSupport
import Testing
import Upstream

@testable import Migration

/// Logins come from files alone, and go where they are for.
@Suite struct LoginTests {
    private func login(_ json: String, _ address: String) throws -> String? {
        let address = try #require(RegistryAddress(parsing: address))
        let found = try Logins.entry(for: address, in: Array(json.utf8), "auth.json")
        return found.map {
            String(decoding: $0.username + [58] + $0.password, as: UTF8.self)
        }
    }

    private static let file = """
        {"auths":{"r.example:5000":{"auth":"\(base64("a:one"))"},
        "https://r.example/v2/":{"auth":"\(base64("b:two:2"))"},
        "r.example/team":{"auth":"\(base64("c:three"))"},
        "https://index.docker.io/v1/":{"auth":"\(base64("d:four"))"},"empty.example":{}}}
        """

    @Test(arguments: [
        ("r.example:5000", "a:one"), ("https://r.example", "b:two:2"),
        ("r.example/team/app", "c:three"), ("r.example/other", "b:two:2"),
        ("docker.io", "d:four"), ("empty.example", nil), ("r.example:5001", nil),
        ("evil-r.example", nil),
    ])
    func theMostExactEntryIsTaken(address: String, expected: String?) throws {
        #expect(try login(Self.file, address) == expected)
    }

    @Test func aHelperIsNamedInsteadOfBeingIgnored() throws {
        let json = #"{"auths":{"r.example":{}},"credsStore":"pass"}"#
        #expect(throws: CopyFailure.self) { try login(json, "r.example") }
        #expect(try login(json, "other.example") == nil)
    }

    @Test(arguments: ["", "[]x", "{", "{\"auths\":"])
    func aBrokenFileIsAnError(text: String) {
        #expect(throws: CopyFailure.self) { try login(text, "r.example") }
    }

    @Test func aFileOfOnesOwnHasOneLine() throws {
        let home = try TemporaryDirectory()
        let address = try #require(RegistryAddress(parsing: "r.example"))
        let path = try home.write("login", "robot:to:ken\r\nmore\n")
        let found = try Logins.find(for: address, file: path, authFile: nil)
        #expect(found?.username == Array("robot".utf8))
        #expect(found?.password == Array("to:ken".utf8))
        for text in ["", "nobody", ":x", "a:\u{1}"] {
            let path = try home.write("bad", text)
            #expect(throws: CopyFailure.self) {
                try Logins.find(for: address, file: path, authFile: nil)
            }
        }
    }
}

import TestSupport
import Testing

/// Who may what: every route, method, role and kind of repository against what is written here
/// (AUTH-4; issue 4, done when 4).
@Suite("E82 matrix", .realParts)
struct E82_MatrixTests {
    /// One resource of `Route`, with what each method of it needs and answers whoever may.
    private struct Row {
        let resource: String
        /// What GET and HEAD ask for, behind the image name; what the other methods do.
        let (read, write): (String, String)
        /// By method: the action it needs and the status that says it was let in.
        let methods: [String: (action: String, status: Int)]
    }

    private static let methods = [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND",
    ]

    /// The resources below an image name.
    private static func rows(_ image: ImageFixture) -> [Row] {
        let manifest = image.platforms[0].manifest.digest
        let blob = image.platforms[0].blobs[0].digest
        let absent = MessageDigest.of([1, 2, 3])
        let session = "blobs/uploads/0123456789abcdef0123456789abcdef"
        /// Nothing but looking at it exists.
        func list(_ status: Int) -> [String: (action: String, status: Int)] {
            [
                "GET": ("pull", status), "HEAD": ("pull", status), "POST": ("push", 405),
                "PUT": ("push", 405), "PATCH": ("push", 405), "DELETE": ("delete", 405),
            ]
        }
        let manifests = list(200).merging(
            ["PUT": ("push", 400), "DELETE": ("delete", 404)]) { $1 }
        let blobs = list(200).merging(["DELETE": ("delete", 404)]) { $1 }
        return [
            Row(
                resource: "manifest", read: "manifests/v1", write: "manifests/absent",
                methods: manifests),
            Row(
                resource: "manifest", read: "manifests/\(manifest)",
                write: "manifests/\(absent)", methods: manifests),
            Row(
                resource: "blob", read: "blobs/\(blob)", write: "blobs/\(absent)",
                methods: blobs),
            Row(resource: "tags", read: "tags/list", write: "tags/list", methods: list(200)),
            Row(
                resource: "referrers", read: "referrers/\(manifest)",
                write: "referrers/\(manifest)", methods: list(200)),
            Row(
                resource: "upload", read: "blobs/uploads/", write: "blobs/uploads/",
                methods: [
                    "GET": ("push", 405), "HEAD": ("push", 405), "POST": ("push", 202),
                    "PUT": ("push", 405), "PATCH": ("push", 405), "DELETE": ("push", 405),
                ]),
            Row(
                resource: "upload", read: session, write: session,
                methods: [
                    "GET": ("push", 404), "HEAD": ("push", 404), "POST": ("push", 405),
                    "PUT": ("push", 400), "PATCH": ("push", 404), "DELETE": ("push", 404),
                ]),
        ]
    }

    /// The resources that are above all names, and what they answer a role.
    private static let others: [(resource: String, target: String)] = [
        ("base", "/v2/"), ("catalog", "/v2/_catalog"), ("token", "/v2/_token"),
        ("unknown", "/v2/releases/team/a/nothing"),
    ]

    // A resource that is added to `Route` has to get its line here.
    @Test func everyResourceHasALine() throws {
        let top = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
        let path = (top + ["Sources", "API", "Route.swift"]).joined(separator: "/")
        let text = try Files.text(path)
        let body = try #require(text.split(separator: "enum Resource {").dropFirst().first)
        let cases = body.prefix { $0 != "}" }.split(separator: "\n")
            .map { $0.drop { $0 == " " } }.filter { $0.hasPrefix("case ") }
            .map { String($0.dropFirst(5).prefix { $0.isLetter }) }
        #expect(cases.count > 5)
        let lines =
            Self.rows(ImageFixture(seed: 1)).map(\.resource) + Self.others.map(\.resource)
        #expect(Set(lines) == Set(cases))
    }

    @Test(arguments: [true, false])
    func theMatrixHolds(anonymousMayPull: Bool) throws {
        let scene = try MatrixScene(anonymousMayPull: anonymousMayPull)
        let rows = Self.rows(scene.image)
        var client = try RawClient(scene.daemon.address)
        var wrong: [String] = []
        var count = 0
        for role in scene.roles {
            for (row, kind, name, method) in Self.requests(rows) {
                let target = ["GET", "HEAD"].contains(method) ? row.read : row.write
                let path = "/v2/\(kind.repository)/\(name)/\(target)"
                let answer = try client.request(path, method: method, fields: role.login)
                if !answer.keepsAlive { client = try RawClient(scene.daemon.address) }
                count += 1
                let expected = Self.expected(role, row, kind, name, method)
                if answer.status != expected {
                    wrong.append(
                        "\(role.name): \(method) \(path): \(answer.status), not \(expected)")
                }
            }
        }
        #expect(count > 5000)
        #expect(wrong.isEmpty, "\(wrong.count): \(wrong.prefix(20).joined(separator: "\n"))")
    }

    private static func requests(
        _ rows: [Row]
    ) -> [(row: Row, kind: MatrixScene.Kind, name: String, method: String)] {
        rows.flatMap { row in
            MatrixScene.kinds.flatMap { kind in
                MatrixScene.names.flatMap { name in methods.map { (row, kind, name, $0) } }
            }
        }
    }

    private static func expected(
        _ role: MatrixScene.Role, _ row: Row, _ kind: MatrixScene.Kind, _ name: String,
        _ method: String
    ) -> Int {
        guard role.isKnown else { return 401 }
        let known = row.methods[method] ?? ("pull", 405)
        // What takes nothing says so to whoever may look at it (AUTH-10).
        let action = kind.target == nil ? "pull" : known.action
        let repository = action == "pull" ? kind.repository : kind.target ?? kind.repository
        let place = "\(repository)/\(name.split(separator: "/")[0])"
        guard role.may[place]?.contains(action) ?? false else {
            return role.name.hasPrefix("nobody") ? 401 : 403
        }
        if let scope = role.scope, scope != (place, action) { return 401 }
        let isRead = ["GET", "HEAD"].contains(method) && known.action == "pull"
        return kind.target == nil && !isRead ? 405 : known.status
    }

    @Test(arguments: [true, false])
    func whatIsAboveAllNamesIsGuardedToo(anonymousMayPull: Bool) throws {
        let scene = try MatrixScene(anonymousMayPull: anonymousMayPull)
        for role in scene.roles {
            for (resource, target) in Self.others {
                for method in Self.methods {
                    let answer = try RawClient.request(
                        scene.daemon.address, target, method: method, fields: role.login)
                    let expected = Self.expected(role, resource, method, anonymousMayPull)
                    #expect(answer.status == expected, "\(role.name): \(method) \(target)")
                }
            }
            guard role.isKnown, anonymousMayPull || !role.login.isEmpty else { continue }
            // The catalog shows what a role may pull, and not that there is more.
            let catalog = try RawClient.request(
                scene.daemon.address, "/v2/_catalog?n=1000", fields: role.login)
            for name in MatrixScene.names {
                let place = "releases/\(name.split(separator: "/")[0])"
                let may = role.may[place]?.contains("pull") ?? false
                let isShown = may && (role.scope.map { $0 == (place, "pull") } ?? true)
                let text = "\"releases/\(name)\""
                #expect(catalog.text.contains(text) == isShown, "\(role.name) \(text)")
            }
        }
        for role in scene.roles {
            let answer = try RawClient.request(scene.daemon.address, "/x", fields: role.login)
            #expect(answer.status == 404)
        }
    }

    private static func expected(
        _ role: MatrixScene.Role, _ resource: String, _ method: String, _ anonymousMayPull: Bool
    ) -> Int {
        let isRead = ["GET", "HEAD"].contains(method)
        let isNobody = role.name.hasPrefix("nobody")
        if resource == "token" {
            guard isRead else { return method == "POST" ? 400 : 405 }
            // A token is no login for a token.
            let isToken = role.login.first?.1.hasPrefix("Bearer") ?? false
            return !role.isKnown || isToken || (isNobody && !anonymousMayPull) ? 401 : 200
        }
        guard role.isKnown else { return 401 }
        switch resource {
        case "base": return !isRead ? 405 : role.login.isEmpty ? 401 : 200
        case "catalog" where isNobody && !anonymousMayPull: return 401
        case "catalog": return isRead ? 200 : 405
        default: return isNobody && !anonymousMayPull ? 401 : 404
        }
    }

    // AUTH-5: removing a user ends his rights with the next request, in the middle of a push.
    @Test func whoIsRemovedPushesNoMore() throws {
        let scene = try HostedScene()
        let place = ["repository:releases/a:pull,push"]
        for login in [HostedScene.login, try scene.token(place)] {
            let location = try scene.open("a")
            let client = try RawClient(scene.address)
            func patch() throws -> Int {
                try client.request(location, method: "PATCH", fields: [login], body: [1]).status
            }
            #expect(try patch() == 202)
            let file = scene.home.file("htpasswd")
            let before = try Files.text(file)
            let removed = try LoginScene.cistern(
                ["user", "rm", HostedScene.user, "--file", file])
            #expect(removed.code == 0, "\(removed)")
            #expect(try patch() == 401)
            _ = try scene.home.write("htpasswd", before, mode: 0o600)
            #expect(try patch() == 202, "the same hash is the same user")
        }
    }
}

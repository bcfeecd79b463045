import TestSupport
import Testing

/// Logins by Basic, by tokens, and by robots' tokens; rights that change while they are used.
@Suite("E82 logins", .realParts)
struct E82_LoginTests {
    private typealias Scene = LoginScene

    // AUTH-6: no other form of Authorization is looked at.
    @Test func clientsAreToldHowToLogIn() throws {
        let scene = try Scene(anonymous: "none")
        let realm = "Bearer realm=\"http://\(scene.address)/v2/_token\",service=\"Cistern\""
        let base = try RawClient.request(scene.address, "/v2/")
        #expect(base.status == 401 && base["WWW-Authenticate"] == realm)
        #expect(base.text.contains(#""code":"UNAUTHORIZED""#))
        let pull = try RawClient.request(scene.address, scene.manifest, method: "HEAD")
        #expect(pull.status == 401 && pull.reason == "login needed")
        let scope = "scope=\"repository:docker.io/library/a:pull\""
        #expect(pull["WWW-Authenticate"] == "\(realm),\(scope)")
        for value in [
            "Bearer", "Bearer ", "Bearer a b", "Basic", "Basic !!!", "Digest username=\"ann\"",
            "Negotiate abc", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4ifQ.", "ann:ann-s3cr3t",
            "Basic " + base64("ann"), "Basic " + base64("ann:wrong"),
            "Basic " + base64("nobody:ann-s3cr3t"), "Basic " + base64("ann:ann-s3cr3t\u{0}"),
        ] {
            for target in ["/v2/", scene.manifest] {
                let answer = try RawClient.request(
                    scene.address, target, fields: [("Authorization", value)])
                #expect(answer.status == 401, "\(value)")
                #expect(answer["WWW-Authenticate"]?.hasPrefix(realm) == true)
            }
        }
        let two = Scene.login("ann") + Scene.login("ann")
        #expect(try scene.status("/v2/", two) == 401)
        #expect(try scene.status("/v2/", Scene.login("ann")) == 200)
        #expect(try scene.status(scene.manifest, Scene.login("ann")) == 200)
        #expect(scene.upstream.requests.allSatisfy { $0["Authorization"] == nil })
    }

    @Test func tokensSayWhoAsksAndGoAsFarAsTheyWereAskedFor() throws {
        let scene = try Scene()
        let scope = "repository:docker.io/library/a:pull"
        let bob = try scene.token(Scene.login("bob"), [scope])
        #expect(bob.status == 200 && bob.token.utf8.count > 40)
        for target in ["/v2/", scene.manifest, scene.blob] {
            #expect(try scene.status(target, Scene.bearer(bob.token)) == 200)
        }
        let elsewhere = "/v2/docker.io/library/b/manifests/latest"
        let answer = try RawClient.request(
            scene.address, elsewhere, fields: Scene.bearer(bob.token))
        #expect(answer.status == 401)
        #expect(answer["WWW-Authenticate"]?.contains("error=\"insufficient_scope\"") == true)
        #expect(
            answer["WWW-Authenticate"]?.contains("scope=\"repository:docker.io/library/b:pull\"")
                == true)
        let both = try scene.token(
            Scene.login("bob"), [scope, "repository:docker.io/library/b:pull,push"])
        #expect(try scene.status(elsewhere, Scene.bearer(both.token)) == 404)
        // What the rules forbid no token brings.
        let eve = try scene.token(Scene.login("eve"), [scope])
        #expect(eve.status == 200)
        let denied = try RawClient.request(
            scene.address, scene.manifest, fields: Scene.bearer(eve.token))
        #expect(denied.status == 403 && denied.text.contains(#""code":"DENIED""#))
        #expect(try scene.token(Scene.basic("bob", "wrong")).status == 401)
        #expect(try scene.token(Scene.bearer(bob.token)).status == 401)
        let anonymous = try scene.token([], [scope])
        #expect(anonymous.status == 200)
        #expect(try scene.status("/v2/", Scene.bearer(anonymous.token)) == 200)
        #expect(try scene.status(scene.manifest, Scene.bearer(anonymous.token)) == 200)
        let many = Array(repeating: scope, count: 33)
        #expect(try scene.token([], many).status == 400)
    }

    @Test func tokensAreAlsoPostedFor() throws {
        let scene = try Scene(anonymous: "none")
        func post(_ form: String) throws -> WireResponse {
            let client = try RawClient(scene.address)
            try client.send(
                "/v2/_token", method: "POST",
                fields: [
                    ("Content-Type", "application/x-www-form-urlencoded"),
                    ("Content-Length", String(form.utf8.count)),
                ])
            try client.send(raw: form)
            return try client.response(to: "POST")
        }
        let scope = "scope=repository%3Adocker.io%2Flibrary%2Fa%3Apull&service=Cistern"
        let right = try post("grant_type=password&username=bob&password=bob-s3cr3t&\(scope)")
        #expect(right.status == 200, "\(right)")
        let token = right.text.split(separator: "\"access_token\":\"").dropFirst().first
        let login = Scene.bearer(String(token?.prefix { $0 != "\"" } ?? ""))
        #expect(try scene.status(scene.manifest, login) == 200)
        #expect(try post("grant_type=password&username=bob&password=wrong&\(scope)").status == 401)
        #expect(try post("grant_type=refresh_token&refresh_token=abc").status == 400)
        for form in ["", "%", "grant_type=%zz", String(repeating: "a", count: 20_000)] {
            #expect(try post(form).status == 400, "\(form.prefix(20))")
        }
    }

    // AUTH-5: done when 4: removing a user ends the rights with the next request.
    @Test func rightsEndWithTheNextRequest() throws {
        let scene = try Scene(anonymous: "none")
        let file = ["--file", scene.files.file("htpasswd")]
        let token = try scene.token(
            Scene.login("bob"), ["repository:docker.io/library/a:pull"]
        ).token
        let client = try RawClient(scene.address)
        for login in [Scene.login("bob"), Scene.bearer(token)] {
            #expect(try client.request(scene.manifest, fields: login).status == 200)
        }
        #expect(try Scene.cistern(["user", "rm", "bob"] + file).code == 0)
        for login in [Scene.login("bob"), Scene.bearer(token)] {
            #expect(try client.request(scene.manifest, fields: login).status == 401, "removed")
        }
        try Scene.add("bob", "bob-s3cr3t", scene.files)
        #expect(try client.request(scene.manifest, fields: Scene.login("bob")).status == 200)
        #expect(try client.request(scene.manifest, fields: Scene.bearer(token)).status == 401)
        let changed = try Scene.cistern(
            ["user", "passwd", "bob", "--password-stdin"] + file, input: "other")
        #expect(changed.code == 0, "\(changed)")
        #expect(try client.request(scene.manifest, fields: Scene.login("bob")).status == 401)
        let other = Scene.basic("bob", "other")
        #expect(try client.request(scene.manifest, fields: other).status == 200)
        let robot = try scene.robot("pull:docker.io/library/**")
        let basic = Scene.basic("token", robot)
        for login in [basic, Scene.bearer(robot)] {
            #expect(try client.request(scene.manifest, fields: login).status == 200)
        }
        let list = try Scene.cistern(["token", "ls", "--file", scene.files.file("tokens")])
        #expect(list.stdout.contains("pull:docker.io/library/**  ") || list.code == 0)
        let id = String(list.stdout.prefix { $0 != " " })
        #expect(!list.stdout.contains(robot) && robot.contains(id))
        let revoked = try Scene.cistern(
            ["token", "revoke", id, "--file", scene.files.file("tokens")])
        #expect(revoked.code == 0, "\(revoked)")
        for login in [basic, Scene.bearer(robot)] {
            #expect(try client.request(scene.manifest, fields: login).status == 401, "revoked")
        }
    }

    // AUTH-5: rules too; tokens stay, but bring no more than the new rules allow.
    @Test func newRulesHoldForTokensThatWereGivenBefore() throws {
        let scene = try Scene()
        let token = try scene.token(
            Scene.login("bob"), ["repository:docker.io/library/a:pull"]
        ).token
        let logins = [Scene.login("bob"), Scene.bearer(token)]
        for login in logins { #expect(try scene.status(scene.manifest, login) == 200) }
        let nobody = "[[auth.rule]]\nusers = [\"*\"]\nrepositories = [\"*\"]\nallow = []\n"
        try scene.reload(anonymous: "pull", rules: nobody)
        for login in logins { #expect(try scene.status(scene.manifest, login) == 403) }
        #expect(try scene.status(scene.manifest) == 401)
        try scene.reload(anonymous: "none", rules: "")
        for login in logins { #expect(try scene.status(scene.manifest, login) == 200) }
        #expect(try scene.status(scene.manifest) == 401)
        try Files.write(scene.files.file("htpasswd"), Array("bob:nonsense\n".utf8))
        for login in logins { #expect(try scene.status(scene.manifest, login) == 401) }
        #expect(scene.daemon.awaitLog("htpasswd"))
        #expect(!scene.daemon.log.contains("nonsense"))
    }

    @Test func theCommandsSayWhatIsWrong() throws {
        let files = try TemporaryDirectory()
        let file = ["--file", files.file("htpasswd")]
        func run(_ arguments: [String], _ input: String = "") throws -> Command.Output {
            try Scene.cistern(arguments + file, input: input)
        }
        #expect(try run(["user", "add", "ann", "--password-stdin"], "s3cr3t").code == 0)
        let twice = try run(["user", "add", "ann", "--password-stdin"], "s3cr3t")
        #expect(twice.code == 1 && twice.stderr.contains("cistern user passwd ann"))
        #expect(try run(["user", "add", "a:b", "--password-stdin"], "s3cr3t").code == 64)
        #expect(try run(["user", "add", "bob", "--password-stdin"], "").code == 64)
        let long = String(repeating: "a", count: 73)
        #expect(try run(["user", "add", "bob", "--password-stdin"], long).code == 64)
        let unasked = try run(["user", "add", "bob"])
        #expect(unasked.code == 64 && unasked.stderr.contains("--password-stdin"))
        let made = try run(["user", "add", "bob", "--generate"])
        #expect(made.code == 0 && made.stdout.utf8.count == 21)
        #expect(try run(["user", "ls"]).stdout == "ann\nbob\n")
        #expect(try run(["user", "rm", "eve"]).code == 1)
        #expect(try run(["user", "rm", "ann"]).code == 0)
        #expect(try run(["user", "ls"]).stdout == "bob\n")
        let mode = try Command.succeed("stat", ["-c", "%a", files.file("htpasswd")]).stdout
        #expect(mode == "600\n")
        #expect(try run(["token", "create", "--allow", "fly:*"]).code == 64)
        #expect(try run(["token", "revoke", "0000"]).code == 1)
        let nowhere = try Scene.cistern(["user", "ls"])
        #expect(nowhere.code == 78 && nowhere.stderr.contains("auth.htpasswd"))
        #expect(Files.names(files.path) == ["htpasswd"], "nothing else is left")
    }

    @Test func noPasswordAndNoTokenComesOut() throws {
        let scene = try Scene()
        let robot = try scene.robot("pull:*", ["--note", "night build", "--expires", "1d"])
        let token = try scene.token(Scene.login("bob"), ["repository:docker.io/library/a:pull"])
        var said = ""
        for login in [
            Scene.login("bob"), Scene.basic("bob", "bob-s3cr3t-wr0ng"), Scene.bearer(robot),
            Scene.bearer(token.token), Scene.bearer(token.token + "AAAA"), Scene.login("eve"),
        ] {
            for target in ["/v2/", scene.manifest, "/v2/_token?account=bob"] {
                let answer = try RawClient.request(scene.address, target, fields: login)
                said += answer.reason + answer.fields.map { "\($0.name): \($0.value)" }.joined()
                if !target.contains("_token") { said += answer.text }
            }
        }
        said += try RawClient.request(scene.daemon.admin, "/metrics").text
        #expect(scene.daemon.stop() == .exited(0))
        said += scene.daemon.log
        let tail = String(robot.suffix(40))
        for secret in [
            "bob-s3cr3t", base64("bob:bob-s3cr3t"), base64("bob:bob-s3cr3t-wr0ng"),
            base64("eve:eve-s3cr3t"), tail, token.token, "$2y$",
        ] {
            #expect(!said.contains(secret), "\(secret)")
        }
        let kept = try Files.text(scene.files.file("tokens"))
        #expect(!kept.contains(tail) && kept.contains("night build"))
    }
}

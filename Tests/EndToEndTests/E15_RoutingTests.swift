import TestSupport
import Testing

/// Groups, tag lists, and names that must lead nowhere.
@Suite("E15 routing", .realParts)
struct E15_RoutingTests {
    private let image = ImageFixture(seed: 15)

    // SSRF-4, protocol.md §10.4.16
    @Test func unknownNamespacesAreNeverDialled() throws {
        let upstream = try LoopbackRegistry()
        let daemon = try DaemonProcess(DaemonConfiguration(upstream))
        let evil = upstream.evil.port
        for namespace in [
            "127.0.0.1:\(evil)", "localhost:\(evil)", "..%2F", "../", "evil.example.org",
            String(repeating: "x", count: 7000), "docker.io%00", "docker.io@evil",
        ] {
            let answer = try RawClient.request(
                daemon.address, "/v2/library/a/manifests/latest?ns=\(namespace)")
            #expect([400, 404].contains(answer.status), "\(namespace) \(answer.status)")
        }
        let twice = try RawClient.request(
            daemon.address, "/v2/library/a/manifests/latest?ns=docker.io&ns=quay.io")
        #expect([400, 404].contains(twice.status))
        let path = try RawClient.request(
            daemon.address, "/v2/127.0.0.1:\(evil)/library/a/manifests/latest")
        #expect([400, 404].contains(path.status))
        #expect(upstream.count("", role: .evil) == 0)
        #expect(upstream.count() == 0)
    }

    // HTTP-5, CVE-2024-4956
    @Test func pathTricksTouchNeitherDiskNorUpstream() throws {
        let upstream = try LoopbackRegistry()
        upstream.add(image, "library/a")
        let daemon = try DaemonProcess(
            DaemonConfiguration(
                [DaemonConfiguration.proxy("quay.io", upstream)],
                listeners: [#"repository = "quay.io""#]))
        for target in [
            "/%2F%2F..%2F..%2Fetc/passwd", "/v2/../../etc/passwd", "/v2//library/a/manifests/x",
            "/v2/library%2Fa/manifests/latest", "/v2/library/a/manifests/..%2f..%2fx",
            "/v2/library/a%00/manifests/latest", "/v2/library/a/blobs/%5C..%5C",
            "/v2/library/\u{E9}/manifests/latest", "/v2/%C3%A9/manifests/latest",
        ] {
            let answer = try RawClient.request(daemon.address, target)
            #expect([400, 404].contains(answer.status), "\(target) \(answer.status)")
        }
        #expect(upstream.count() == 0)
    }

    @Test func aGroupServesTheFirstMemberThatHasTheImage() throws {
        let (first, second) = (try LoopbackRegistry(), try LoopbackRegistry())
        let other = ImageFixture(seed: 151)
        first.add(image, "org/both", tags: ["1", "2"])
        second.add(other, "org/both", tags: ["2", "3"])
        second.add(other, "org/only")
        let daemon = try DaemonProcess(
            DaemonConfiguration(
                [
                    DaemonConfiguration.proxy("one.example", first, name: "one"),
                    DaemonConfiguration.proxy("two.example", second, name: "two"),
                    """
                    [repositories.all]
                    type = "group"
                    members = ["one", "two"]
                    """,
                ], listeners: [#"repository = "all""#]))
        #expect(try Puller(daemon, "/v2/org/both").pull(image, "2") == [])
        #expect(try Puller(daemon, "/v2/org/both").pull(other, "3") == [])
        #expect(try Puller(daemon, "/v2/org/only").pull(other) == [])
        #expect(try Puller(daemon, "/v2/all/org/only").pull(other) == [])
        let asked = first.count("org/only")
        #expect(try Puller(daemon, "/v2/org/only").pull(other) == [])
        #expect(first.count("org/only") == asked, "found in a member before: not asked again")
        let tags = try RawClient.request(daemon.address, "/v2/org/both/tags/list")
        #expect(tags.text.contains(#"["1","2","3"]"#), "\(tags.text)")
        first.stop()
        second.stop()
        #expect(try Puller(daemon, "/v2/org/both").pull(image, "2") == [])
        #expect(try Puller(daemon, "/v2/org/only").pull(other) == [])
    }

    @Test func aTagStaysWithTheMemberThatGaveIt() throws {
        let (first, second) = (try LoopbackRegistry(), try LoopbackRegistry())
        let other = ImageFixture(seed: 152)
        first.add(image, "org/both", tags: ["1"])
        second.add(other, "org/both", tags: ["1", "2"])
        let ttl = #"tag_ttl = "1s""#
        let daemon = try DaemonProcess(
            DaemonConfiguration(
                [
                    DaemonConfiguration.proxy("one.example", first, ttl, name: "one"),
                    DaemonConfiguration.proxy("two.example", second, ttl, name: "two"),
                    """
                    [repositories.all]
                    type = "group"
                    members = ["one", "two"]
                    """,
                ], listeners: [#"repository = "all""#]))
        let puller = Puller(daemon, "/v2/org/both")
        #expect(try puller.pull(image, "1") == [])
        #expect(try puller.pull(other, "2") == [])
        let asked = first.count("/manifests/1", method: "HEAD")
        // The tag's time is over when the member is asked again.
        var digests: Set<String?> = []
        let isAsked = try poll {
            let answer = try RawClient.request(daemon.address, puller.manifest("1"))
            digests.insert(answer["Docker-Content-Digest"])
            return digests.count > 1 || first.count("/manifests/1", method: "HEAD") > asked
        }
        #expect(isAsked)
        #expect(digests == [image.index.digest])
    }

    // protocol.md §1.5
    @Test func tagListsHavePages() throws {
        let upstream = try LoopbackRegistry(.quay)
        let tags = (1...25).map { "v1.\($0)" }
        upstream.add(image, "org/a", tags: tags)
        upstream.state.with { $0.pageSize = 10 }
        let daemon = try DaemonProcess(
            DaemonConfiguration([DaemonConfiguration.proxy("quay.io", upstream)]))
        for start in ["/v2/quay.io/org/a/tags/list?n=7", "/v2/org/a/tags/list?ns=quay.io"] {
            var found: [String] = []
            var next: String? = start
            var pages = 0
            while let target = next, pages < 30 {
                let page = try RawClient.request(daemon.address, target)
                #expect(page.status == 200, "\(target) \(page.text)")
                let list = page.text.split(separator: "[").last?.prefix { $0 != "]" } ?? ""
                found += list.split(separator: ",").map { String($0.dropFirst().dropLast()) }
                next = page["Link"].map { link in
                    #expect(link.contains(#"rel="next""#))
                    return String(link.dropFirst().prefix { $0 != ">" })
                }
                if let next { #expect(next.hasPrefix("/"), "same origin: \(next)") }
                pages += 1
            }
            #expect(found.sorted() == tags.sorted(), "\(start)")
        }
        let empty = try RawClient.request(daemon.address, "/v2/quay.io/org/a/tags/list?n=0")
        #expect(empty.status == 200 && empty.text.contains(#""tags":[]"#) && empty["Link"] == nil)
        let huge = try RawClient.request(
            daemon.address, "/v2/quay.io/org/a/tags/list?n=999999999999")
        #expect(huge.status == 200)
    }

    // protocol.md §1.6
    @Test func referrersComeFromUpstreamOrItsFallbackTag() throws {
        let upstream = try LoopbackRegistry()
        upstream.add(image, "org/a")
        let subject = image.index.digest
        let entry =
            #"{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"\#(subject)","#
            + #""size":5,"artifactType":"a/sig"}"#
        upstream.state.with { $0.repositories["org/a"]?.referrers[subject] = entry }
        let daemon = try DaemonProcess(
            DaemonConfiguration([DaemonConfiguration.proxy("quay.io", upstream)]))
        let target = "/v2/quay.io/org/a/referrers/\(subject)"
        let answer = try RawClient.request(daemon.address, target)
        #expect(answer.status == 200)
        #expect(answer["Content-Type"] == "application/vnd.oci.image.index.v1+json")
        #expect(answer.text.contains("a/sig"))
        let bad = try RawClient.request(daemon.address, "/v2/quay.io/org/a/referrers/sha256:x")
        #expect([400, 404].contains(bad.status))
    }

    // Docker's registry-mirrors: a port for each repository.
    @Test func aPortMayBelongToOneRepository() throws {
        let (hub, quay) = (try LoopbackRegistry(.dockerHub), try LoopbackRegistry(.quay))
        let other = ImageFixture(seed: 152)
        hub.add(image, "library/a")
        quay.add(other, "library/a")
        let daemon = try DaemonProcess(
            DaemonConfiguration(
                [
                    DaemonConfiguration.proxy("docker.io", hub, name: "hub"),
                    DaemonConfiguration.proxy("quay.io", quay, name: "quay"),
                ],
                listeners: [
                    "route = [\"root\"]\nrepository = \"hub\"",
                    "route = [\"root\"]\nrepository = \"quay\"",
                ]))
        #expect(daemon.listeners.count == 2)
        #expect(try Puller(daemon.listeners[0], "/v2/library/a").pull(image) == [])
        #expect(try Puller(daemon.listeners[1], "/v2/library/a").pull(other) == [])
        let prefixed = try RawClient.request(
            daemon.listeners[0], "/v2/quay/library/a/manifests/latest")
        #expect(prefixed.status == 404)
    }

    // UP-7: an upstream that says nothing holds up nobody else.
    @Test func oneSilentUpstreamDoesNotBlockAnother() throws {
        let (hub, quay) = (try LoopbackRegistry(), try LoopbackRegistry())
        quay.add(image, "org/b")
        let gate = Gate()
        hub.inject(.hold(gate), on: "/v2/", method: nil)
        let daemon = try DaemonProcess(
            DaemonConfiguration([
                DaemonConfiguration.proxy("docker.io", hub),
                DaemonConfiguration.proxy("quay.io", quay),
            ]))
        let address = daemon.address
        let stuck = (0..<30).map { number in
            TestThread {
                try RawClient.request(
                    address, "/v2/docker.io/library/x\(number)/manifests/latest"
                ).status
            }
        }
        #expect(gate.awaitArrivals(5))
        let watch = Stopwatch()
        #expect(try Puller(daemon, "/v2/quay.io/org/b").pull(image) == [])
        #expect(watch.seconds < 5)
        #expect(!stuck.allSatisfy { $0.isFinished })
        gate.open()
        for each in stuck { #expect(try each.value() >= 400) }
    }
}

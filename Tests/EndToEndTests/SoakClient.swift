import TestSupport

/// One client of a soak: pushes, moves and deletes under names of its own, knows what has to be
/// there, and looks.
final class SoakClient {
    /// An image as it was acknowledged.
    private struct Image {
        let manifest: [UInt8]
        let blobs: [TestContent]
        let digest: String
    }

    /// A blob without a manifest.
    private struct Loose {
        let name: String
        let content: TestContent
        /// When its lease began, at the earliest.
        let since: Duration
    }

    private(set) var events = 0
    private(set) var problems: [String] = []

    private let site: SoakSite
    private let number: Int
    private var generator: SeededGenerator
    private var counter: UInt64 = 0
    private let names: [String]
    private var tags: [String: [String: Image]] = [:]
    /// Manifests that lost their tags, and those about others; deleted in their turn.
    private var untagged: [(name: String, digest: String)] = []
    private var loose: [Loose] = []
    private var abandoned: [(target: String, since: Duration)] = []

    private static let tagsMax = 6
    private static let untaggedMax = 12
    private static let shared = (0..<5).map { TestContent(seed: 8700 + $0, size: 60_000) }

    init(_ site: SoakSite, _ number: Int, seed: UInt64) {
        self.site = site
        self.number = number
        generator = SeededGenerator(seed: seed &+ UInt64(number))
        names = ["soak/w\(number)/a", "soak/w\(number)/b"]
        for name in names { tags[name] = [:] }
    }

    private func target(_ name: String, _ resource: String) -> String {
        "/v2/releases/\(name)/\(resource)"
    }

    private func draw(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &generator) }

    private func lose(_ what: String) {
        problems.append("\(site.watch.elapsed) client \(number): \(what)")
    }

    /// Expects an answer that is one of these; false if nobody knows what came of it.
    private func expect(_ answer: WireResponse?, _ statuses: Int..., what: String) -> Bool {
        guard let answer else { return false }
        if !statuses.contains(answer.status) { lose("\(what): \(answer)") }
        return statuses.first == answer.status
    }

    // MARK: - Steps

    func step() throws {
        events += 1
        let name = names[draw(2)]
        switch draw(100) {
        case ..<40: try pushImage(name, tag(), blobs())
        case ..<50: try copyTag(name)
        case ..<60: pushLoose(name)
        case ..<68: try useLoose()
        case ..<76: try deleteTag(name)
        case ..<82: try refer(name)
        case ..<85: abandon(name)
        default: try check(name)
        }
        if untagged.count > Self.untaggedMax { try deleteUntagged() }
        try checkGarbage()
    }

    private func tag() -> String { "t\(draw(Self.tagsMax))" }

    private func fresh(_ size: Int64) -> TestContent {
        counter += 1
        return TestContent(
            seed: UInt64(number + 1) &* 1_000_000_007 &+ counter, size: size)
    }

    /// A config of its own, and layers that others have, too.
    private func blobs() -> [TestContent] {
        var blobs = [fresh(300)]
        if draw(2) == 0 { blobs.append(Self.shared[draw(Self.shared.count)]) }
        blobs.append(draw(3) == 0 ? Self.shared[draw(Self.shared.count)] : fresh(40_000))
        return blobs
    }

    /// Makes sure that a blob is there as clients do: asks, mounts or sends; when it was told that
    /// it is, nil if nobody knows.
    private func provide(_ name: String, _ blob: TestContent) -> Duration? {
        let asked = site.watch.elapsed
        guard
            let head = site.attempt("HEAD", target(name, "blobs/\(blob.digest)"))
        else { return nil }
        if head.status == 200 { return asked }
        let other = names[draw(2)]
        guard
            let begun = site.attempt(
                "POST",
                target(name, "blobs/uploads/?mount=\(blob.digest)&from=releases/\(other)"))
        else { return nil }
        if begun.status == 201 { return asked }
        guard begun.status == 202, let location = begun["Location"],
            let sent = site.attempt("PATCH", location, blob.bytes), sent.status == 202,
            expect(
                site.attempt("PUT", "\(location)?digest=\(blob.digest)"), 201,
                what: "upload of \(blob.digest)")
        else { return nil }
        return asked
    }

    private func pushImage(_ name: String, _ tag: String, _ blobs: [TestContent]) throws {
        var oldest = site.watch.elapsed
        for blob in blobs {
            guard let asked = provide(name, blob) else { return }
            oldest = min(oldest, asked)
        }
        let manifest = HostedScene.manifest(blobs.map(\.bytes))
        let image = Image(
            manifest: manifest, blobs: blobs, digest: MessageDigest.of(manifest))
        try put(image, name, tag, provided: oldest)
    }

    /// A push whose blobs are all there, or were a moment ago.
    private func put(
        _ image: Image, _ name: String, _ tag: String, provided: Duration
    ) throws {
        let old = tags[name]?[tag]
        let answer = site.attempt("PUT", target(name, "manifests/\(tag)"), image.manifest)
        let isInTime = site.watch.elapsed - provided < SoakSite.trusted
        if let answer, answer.status == 201 { return settle(name, tag, old, image) }
        if let answer {
            // What was let go in the meantime may be missed, if there was time for that.
            if isInTime || answer.status != 400 { lose("push of \(name):\(tag): \(answer)") }
            return
        }
        // Killed: it is the one or the other.
        let found = try site.look(target(name, "manifests/\(tag)"))
        if found.status == 200, found.body == image.manifest {
            settle(name, tag, old, image)
        } else if let old {
            if found.body != old.manifest { lose("\(name):\(tag) after a kill: \(found)") }
        } else if found.status != 404 {
            lose("\(name):\(tag) after a kill: \(found)")
        }
    }

    private func settle(_ name: String, _ tag: String, _ old: Image?, _ new: Image?) {
        tags[name]?[tag] = new
        guard let old, old.digest != new?.digest else { return }
        let isTagged = tags[name]?.values.contains { $0.digest == old.digest } ?? false
        if !isTagged { untagged.append((name, old.digest)) }
    }

    private func copyTag(_ name: String) throws {
        guard let image = tags[name]?.values.randomElement(using: &generator) else { return }
        // It is under a tag all the time: nothing of it can have gone.
        try put(image, name, tag(), provided: site.watch.elapsed)
    }

    private func deleteTag(_ name: String) throws {
        let tag = tag()
        guard let old = tags[name]?[tag] else { return }
        if expect(
            site.attempt("DELETE", target(name, "manifests/\(tag)")), 202,
            what: "deletion of \(name):\(tag)")
        {
            return settle(name, tag, old, nil)
        }
        let found = try site.look(target(name, "manifests/\(tag)"))
        if found.status == 404 {
            settle(name, tag, old, nil)
        } else if found.body != old.manifest {
            lose("\(name):\(tag) after a kill: \(found)")
        }
    }

    /// What is deleted is gone at once; its blobs go when their lease is over.
    private func deleteUntagged() throws {
        let (name, digest) = untagged.removeFirst()
        let target = target(name, "manifests/\(digest)")
        guard !(tags[name]?.values.contains { $0.digest == digest } ?? false) else { return }
        _ = expect(site.attempt("DELETE", target), 202, 404, what: "deletion of \(digest)")
        if try site.look(target).status != 404, site.attempt("DELETE", target)?.status == 202 {
            if try site.look(target).status != 404 { lose("\(digest) was deleted") }
        }
    }

    /// Something about an image, without a tag.
    private func refer(_ name: String) throws {
        guard let image = tags[name]?.values.randomElement(using: &generator) else { return }
        let config = fresh(200)
        guard let provided = provide(name, config) else { return }
        let manifest = HostedScene.manifest([config.bytes], subject: image.manifest)
        let digest = MessageDigest.of(manifest)
        let answer = site.attempt("PUT", target(name, "manifests/\(digest)"), manifest)
        // Killed: perhaps it is there.
        if answer == nil { untagged.append((name, digest)) }
        guard let answer, answer.status == 201 else {
            if answer != nil, site.watch.elapsed - provided < SoakSite.trusted {
                lose("something about \(image.digest): \(answer.map { "\($0)" } ?? "")")
            }
            return
        }
        let found = try site.look(target(name, "referrers/\(image.digest)"))
        if !found.text.contains(digest) { lose("\(digest) is not listed: \(found.text)") }
        untagged.append((name, digest))
    }

    // MARK: - What nothing refers to

    private func pushLoose(_ name: String) {
        guard loose.count < 20 else { return }
        let content = fresh(20_000)
        let begun = site.watch.elapsed
        if provide(name, content) != nil {
            loose.append(Loose(name: name, content: content, since: begun))
        }
    }

    /// An image of a blob whose lease is about to end: there, or not there, but never in between.
    ///
    /// What a client is told at the beginning of a push holds until its end.
    private func useLoose() throws {
        let now = site.watch.elapsed
        let old = loose.firstIndex { now - $0.since > SoakSite.lease - .seconds(2) }
        guard let place = old else { return }
        let blob = loose.remove(at: place)
        guard let asked = provide(blob.name, blob.content) else { return }
        Monitor(()).wait(.milliseconds(draw(2500))) { _ in false }
        let config = fresh(100)
        guard provide(blob.name, config) != nil else { return }
        let manifest = HostedScene.manifest([config.bytes, blob.content.bytes])
        let image = Image(
            manifest: manifest, blobs: [config, blob.content],
            digest: MessageDigest.of(manifest))
        try put(image, blob.name, tag(), provided: asked)
    }

    private func abandon(_ name: String) {
        guard abandoned.count < 10,
            let begun = site.attempt("POST", target(name, "blobs/uploads/")),
            begun.status == 202, let location = begun["Location"],
            site.attempt("PATCH", location, fresh(5000).bytes) != nil
        else { return }
        abandoned.append((location, site.watch.elapsed))
    }

    /// How long what nothing needs may stay, collections and restarts included.
    private static let goneWithin = Duration.seconds(120)

    private func checkGarbage() throws {
        let now = site.watch.elapsed
        if let first = loose.first {
            let status = try site.look(
                target(first.name, "blobs/\(first.content.digest)"), "GET",
                .compare(first.content)
            ).status
            // Somebody else's look is no lease; when it began is known only roughly.
            if status == 200, now - first.since > Self.goneWithin {
                lose("\(first.content.digest) is there still")
                loose.removeFirst()
            } else if status != 200 {
                if site.watch.elapsed - first.since < SoakSite.trusted {
                    lose("\(first.content.digest) has gone")
                }
                loose.removeFirst()
            }
        }
        if let first = abandoned.first, now - first.since > Self.goneWithin {
            abandoned.removeFirst()
            let status = try site.look(first.target).status
            if status != 404 { lose("an upload is there still: \(status)") }
        }
    }

    // MARK: - Looking

    private func check(_ name: String) throws {
        guard let (tag, image) = tags[name]?.randomElement(using: &generator) else { return }
        let found = try site.look(target(name, "manifests/\(tag)"))
        guard found.status == 200, found.body == image.manifest else {
            return lose("\(name):\(tag) is \(found)")
        }
        for blob in image.blobs {
            let answer = try site.look(
                target(name, "blobs/\(blob.digest)"), "GET", .compare(blob))
            if answer.status != 200 || !answer.isRight {
                lose("\(blob.digest) of \(name):\(tag): \(answer)")
            }
        }
    }

    /// Everything at the end; then deletes it.
    func checkAll() throws {
        for name in names {
            for (tag, image) in tags[name] ?? [:] {
                let found = try site.look(target(name, "manifests/\(tag)"))
                if found.body != image.manifest { lose("\(name):\(tag) is \(found)") }
                for blob in image.blobs {
                    let answer = try site.look(
                        target(name, "blobs/\(blob.digest)"), "GET", .compare(blob))
                    if !answer.isRight { lose("\(blob.digest) of \(name):\(tag): \(answer)") }
                }
            }
        }
    }

    func deleteAll() throws {
        for name in names {
            untagged += (tags[name] ?? [:]).values.map { (name, $0.digest) }
            tags[name] = [:]
        }
        while !untagged.isEmpty { try deleteUntagged() }
    }
}

import OCI
import Reactor
import TestSupport
import Testing

@testable import Migration

/// Two registries in memory, and what copies between them.
private final class CopyScene {
    let source: MemoryRegistry
    let target: MemoryRegistry
    let loop: EventLoop
    let copier: ImageCopier
    private let from: RemoteRegistry

    init(_ manners: MemoryRegistry.Manners = .init()) throws {
        source = try MemoryRegistry()
        target = try MemoryRegistry(manners)
        let loop = try EventLoop.start(name: "copy")
        self.loop = loop
        func registry(_ side: Side, _ url: String) throws -> RemoteRegistry {
            try RemoteRegistry(
                side, #require(RegistryAddress(parsing: url)), RegistryAccess(userAgent: "test"),
                on: loop)
        }
        from = try registry(.source, source.url)
        let scoreboard = Scoreboard()
        let pacer = Pacer(loop, scoreboard)
        let destination = try registry(.destination, target.url)
        copier = ImageCopier(
            blobs: BlobCopier(
                destination: destination, ledger: BlobLedger(loop),
                transfers: Turnstile(loop, places: 4), pacer: pacer, scoreboard: scoreboard),
            pacer: pacer, scoreboard: scoreboard)
    }

    deinit { loop.stop() }

    func item(_ name: String, _ reference: String, as target: String) throws -> ImageItem {
        let name = try #require(RepositoryName(parsing: name))
        return ImageItem(
            source: from, name: name, reference: try #require(Reference(parsing: reference)),
            target: name, targetReference: try #require(Reference(parsing: target)))
    }

    @discardableResult
    func copy(
        _ name: String, _ reference: String = "1", as target: String? = nil,
        isKnown: Bool = false
    ) async throws -> ImageCopier.Outcome {
        try await copier.copy(item(name, reference, as: target ?? reference)) { _ in isKnown }
    }
}

/// One image after the other, between registries with their ways.
@Suite struct ImageCopierTests {
    /// What a run that was killed had pushed, but not listed yet.
    @Test(arguments: ["1", "signed"])
    func aReferrerThatIsThereIsListedAllTheSame(tag: String) async throws {
        let scene = try CopyScene(.init(hasReferrers: false))
        let image = scene.source.add("a", "1", "image")
        let signature = scene.source.add("a", "signed", "signature", subject: image)
        scene.target.add("a", nil, "image")
        scene.target.add("a", tag == "1" ? nil : tag, "signature", subject: image)
        for _ in 0..<2 {
            try await scene.copy("a", tag)
            let list = "sha256-" + MessageDigest.of(image).dropFirst(7)
            let bytes = try #require(scene.target.manifest("a", list))
            let listed = try ReferrersIndex.parse(bytes).descriptors
            #expect(listed.map { "\($0.digest)" } == [MessageDigest.of(signature)])
        }
    }

    @Test func whatIsSaidLaterOfAPlatformsImageComesToo() async throws {
        let scene = try CopyScene()
        let image = scene.source.add("a", nil, "image")
        scene.source.add("a", "1", indexOf: [image])
        try await scene.copy("a")
        guard case .present = try await scene.copy("a", isKnown: true) else {
            Issue.record("there is nothing new")
            return
        }
        let signature = scene.source.add("a", nil, "signature", subject: image)
        guard case .copied = try await scene.copy("a", isKnown: true) else {
            Issue.record("there is something new")
            return
        }
        #expect(scene.target.manifest("a", MessageDigest.of(signature)) == signature)
    }

    @Test(arguments: [401, 403, 404])
    func whereNothingIsMountedItIsSent(status: Int) async throws {
        let scene = try CopyScene(.init(mountRefusal: status))
        for name in ["a", "b"] {
            scene.source.add(name, "1", "image")
            try await scene.copy(name)
            #expect(scene.target.hasBlob(name, MessageDigest.of(Array("image".utf8))))
        }
    }

    @Test func anImageHasNoDigestButItsOwn() async throws {
        let scene = try CopyScene()
        let image = scene.source.add("a", "1", "image")
        let other = scene.source.add("a", "2", "other")
        scene.target.add("a", nil, "other")
        for keepsTags in [false, true] {
            var copier = scene.copier
            copier.keepsTags = keepsTags
            let item = try scene.item("a", "1", as: MessageDigest.of(other))
            let failure = await #expect(throws: CopyFailure.self) {
                try await copier.copy(item) { _ in false }
            }
            #expect(failure?.description.contains(MessageDigest.of(image)) == true)
        }
        #expect(scene.target.manifest("a", MessageDigest.of(image)) == nil)
        try await scene.copy("a", as: MessageDigest.of(image))
        #expect(scene.target.manifest("a", MessageDigest.of(image)) == image)
    }
}

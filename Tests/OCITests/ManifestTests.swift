import Testing

@testable import OCI

/// INT-6, INT-8, SWIFT-2, RES-2: what is a manifest, of which type, and what it needs.
struct ManifestTests {
    static func digest(_ byte: UInt8) -> String {
        "sha256:"
            + String(
                repeating: byte < 16 ? "0" + String(byte, radix: 16) : String(byte, radix: 16),
                count: 32)
    }

    static func descriptor(_ byte: UInt8, size: String = "10", more: String = "") -> String {
        #"{"mediaType":"application/x","digest":"\#(digest(byte))","size":\#(size)\#(more)}"#
    }

    static let image = """
        {"schemaVersion":2,"mediaType":"\(MediaType.ociManifest)",
         "config":\(descriptor(1)),"layers":[\(descriptor(2)),\(descriptor(3)),\(descriptor(2))],
         "annotations":{"a":"b","n":1}}
        """
    static let index = """
        {"schemaVersion":2,"mediaType":"\(MediaType.ociIndex)","manifests":[
         \(descriptor(4, more: #","platform":{"os":"linux","architecture":"arm64","variant":"v8"}"#)),
         \(descriptor(5, more: #","platform":{"os":"linux","architecture":"amd64"},"urls":["http://x"]"#))]}
        """

    private func parse(_ text: String, _ contentType: String? = nil) throws(ManifestError)
        -> Manifest
    {
        try Manifest.parse(Array(text.utf8), contentType: contentType)
    }

    private func error(_ text: String, _ contentType: String? = nil) -> ManifestError? {
        do throws(ManifestError) {
            _ = try parse(text, contentType)
            return nil
        } catch {
            return error
        }
    }

    @Test func imageNeedsItsConfigAndEachLayerOnce() throws {
        let manifest = try parse(Self.image, "\(MediaType.ociManifest); charset=utf-8")
        #expect(manifest.kind == .image)
        #expect(manifest.mediaType == MediaType.ociManifest)
        #expect(manifest.children.map(\.digest.description) == [1, 2, 3].map(Self.digest))
        #expect(manifest.children.allSatisfy { $0.size == 10 })
        #expect(manifest.annotations == ["a": "b"])
        #expect(manifest.configMediaType == "application/x")
        #expect(manifest.referrerArtifactType == "application/x")
    }

    @Test func indexNeedsItsManifestsAndTellsTheirPlatforms() throws {
        let manifest = try parse(Self.index)
        #expect(manifest.kind == .index)
        #expect(manifest.children.map(\.platform) == ["linux/arm64/v8", "linux/amd64"])
        #expect(manifest.children.map(\.hasURLs) == [false, true])
        #expect(manifest.referrerArtifactType == nil)
    }

    @Test func typeComesFromBodyThenHeaderThenContent() throws {
        let bare = #"{"schemaVersion":2,"config":\#(Self.descriptor(1)),"layers":[]}"#
        #expect(try parse(bare).mediaType == MediaType.ociManifest)
        #expect(try parse(bare, "application/json").mediaType == MediaType.ociManifest)
        #expect(try parse(bare, MediaType.dockerManifest).mediaType == MediaType.dockerManifest)
        #expect(try parse(#"{"schemaVersion":2,"manifests":[]}"#).mediaType == MediaType.ociIndex)
        #expect(try parse(Self.image, nil).mediaType == MediaType.ociManifest)
    }

    @Test func unknownTypesAreTakenByTheirContent() throws {
        let type = "application/vnd.example.thing+json"
        let image = #"{"schemaVersion":2,"mediaType":"\#(type)","layers":[\#(Self.descriptor(9))]}"#
        #expect(try parse(image, type).kind == .image)
        #expect(try parse(image, type).children.count == 1)
        let other = #"{"schemaVersion":2,"mediaType":"\#(type)","things":[]}"#
        #expect(try parse(other, type).kind == .other)
        #expect(error(#"{"things":[]}"#, type) == .notManifest)
    }

    @Test func artifactsAndSubjectsAreRead() throws {
        let signature = """
            {"schemaVersion":2,"mediaType":"\(MediaType.ociManifest)","artifactType":"application/sig",
             "config":\(Self.descriptor(1)),"layers":[],"subject":\(Self.descriptor(8))}
            """
        let manifest = try parse(signature)
        #expect(manifest.subject?.description == Self.digest(8))
        #expect(manifest.referrerArtifactType == "application/sig")
        // What it is attached to is no part of it.
        #expect(manifest.children.count == 1)
        let artifact =
            #"{"mediaType":"\#(MediaType.ociArtifact)","blobs":[\#(Self.descriptor(2))]}"#
        #expect(try parse(artifact).kind == .artifact)
        #expect(try parse(artifact).children.count == 1)
    }

    @Test(arguments: [
        #"{"schemaVersion":2,"manifests":[],"layers":[]}"#,
        #"{"schemaVersion":2,"manifests":[],"config":\#(descriptor(1))}"#,
        #"{"schemaVersion":2,"layers":[],"Manifests":[]}"#,
        #"{"schemaVersion":2,"layers":[],"layer\u017f":[]}"#,
        #"{"schemaVersion":2,"layers":[],"layers":[\#(descriptor(1))]}"#,
        #"{"schemaVersion":2,"mediaType":"\#(MediaType.ociIndex)","layers":[]}"#,
        #"{"schemaVersion":2,"mediaType":"\#(MediaType.dockerManifest)","manifests":[]}"#,
    ])
    func documentWithTwoReadingsIsRefused(text: String) {
        // CVE-2021-41190.
        guard case .ambiguous = error(text) else {
            Issue.record("taken: \(text)")
            return
        }
    }

    @Test func typeOfBodyAndHeaderMustAgree() {
        let mismatch = ManifestError.mediaTypeMismatch(
            expected: MediaType.dockerManifest, found: MediaType.ociManifest)
        #expect(error(Self.image, MediaType.dockerManifest) == mismatch)
        #expect(error(Self.image, "text/plain") != nil)
        #expect(error(Self.image, MediaType.ociManifest.uppercased()) == nil)
    }

    @Test(arguments: [
        ("", ManifestError.empty), ("<html><body>Sign in</body></html>", .notJSON),
        ("[]", .notJSON),
        ("\"x\"", .notJSON), ("{}", .notManifest), (#"{"errors":[]}"#, .notManifest),
        (#"{"token":"x"}"#, .notManifest), ("{", .notJSON), ("\0\0\0", .notJSON),
        (#"{"schemaVersion":1,"fsLayers":[]}"#, .schema1),
        (#"{"schemaVersion":1,"layers":[]}"#, .schema1),
        (#"{"mediaType":"\#(MediaType.dockerSchema1Signed)","layers":[]}"#, .schema1),
        (#"{"schemaVersion":3,"layers":[]}"#, .invalid("schemaVersion")),
        (#"{"schemaVersion":"2","layers":[]}"#, .invalid("schemaVersion")),
        (#"{"schemaVersion":1.5,"layers":[]}"#, .invalid("schemaVersion")),
        (#"{"schemaVersion":2,"mediaType":5,"layers":[]}"#, .invalid("mediaType")),
        (#"{"schemaVersion":2,"mediaType":"a b","layers":[]}"#, .invalid("mediaType")),
        (#"{"schemaVersion":2,"layers":{}}"#, .invalid("layers")),
        (#"{"schemaVersion":2,"layers":[5]}"#, .invalid("layers")),
        (#"{"schemaVersion":2,"mediaType":"\#(MediaType.ociManifest)"}"#, .notManifest),
        (
            #"{"layers":\#(String(repeating: "[", count: 100))\#(String(repeating: "]", count: 100))}"#,
            .tooComplex
        ),
    ])
    func whatIsNoManifestIsRefused(text: String, expected: ManifestError) {
        // INT-8: a captive portal binds nothing.
        #expect(error(text) == expected)
    }

    @Test(arguments: [
        "1.5", "1e400", "-1", "\"5\"", "9223372036854775808", "null", "true", "1e2", "[]",
    ])
    func sizeThatIsNoLengthIsRefused(size: String) {
        // SWIFT-1; CVE-2022-1642 was a trap at exactly this place.
        let text = #"{"schemaVersion":2,"layers":[\#(Self.descriptor(1, size: size))]}"#
        #expect(error(text) == .invalid("layers size"))
    }

    @Test(arguments: ["sha256:abc", "sha256:", "", "../../etc/passwd", "SHA256:x", "a:b:c"])
    func digestThatIsNoneIsRefused(digest: String) {
        let text =
            #"{"schemaVersion":2,"layers":[{"mediaType":"a/b","digest":"\#(digest)","size":1}]}"#
        #expect(error(text) == .invalid("layers digest"))
    }

    @Test func contentOfAnUnknownAlgorithmIsLeftOut() throws {
        let text = """
            {"schemaVersion":2,"layers":[\(Self.descriptor(1)),
             {"mediaType":"a/b","digest":"blake3:\(DigestTests.hex256)","size":1}]}
            """
        #expect(try parse(text).children.map(\.digest.description) == [Self.digest(1)])
    }

    @Test func oneContentOfTwoSizesIsRefused() {
        // INT-11.
        let layers = Self.descriptor(1, size: "1") + "," + Self.descriptor(1, size: "2")
        guard case .invalid = error(#"{"schemaVersion":2,"layers":[\#(layers)]}"#) else {
            Issue.record("taken")
            return
        }
    }

    @Test func manifestOfMoreThanFourMebibytesIsRefused() {
        // RES-2.
        let padding = String(repeating: " ", count: Manifest.bytesMax - Self.image.utf8.count)
        #expect(error(Self.image + padding) == nil)
        #expect(error(Self.image + padding + " ") == .tooLarge)
    }
}

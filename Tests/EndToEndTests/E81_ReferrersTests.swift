import TestSupport
import Testing

/// Lists of what refers to a manifest (protocol.md §1.6).
@Suite("E81 referrers", .realParts)
struct E81_ReferrersTests {
    @Test(arguments: HostedScene.bases)
    func whatRefersToAnImageIsListed(base: String) throws {
        let scene = try HostedScene(base: base)
        let subject = try scene.pushImage("a", "v1", seed: 4)
        let digest = MessageDigest.of(subject)
        let empty = try scene.get(scene.target("a", "referrers/\(MessageDigest.of([7]))"))
        #expect(empty.status == 200)
        #expect(empty.text.contains("\"manifests\":[]"))
        for type in ["application/x.sbom", "application/x.signature"] {
            try scene.push("a", blob: Array("{}".utf8))
            let manifest = HostedScene.manifest(
                [Array("{}".utf8)], subject: subject, artifactType: type)
            let answer = try scene.push(
                "a", manifest: manifest, as: MessageDigest.of(manifest))
            #expect(answer.status == 201)
            #expect(answer["OCI-Subject"] == digest)
        }
        let all = try scene.get(scene.target("a", "referrers/\(digest)"))
        #expect(all.text.contains("x.sbom") && all.text.contains("x.signature"))
        let target = scene.target("a", "referrers/\(digest)?artifactType=application/x.sbom")
        let filtered = try scene.get(target)
        #expect(filtered["OCI-Filters-Applied"] == "artifactType")
        #expect(filtered.text.contains("x.sbom") && !filtered.text.contains("x.signature"))
    }
}

import OCI
import Reactor

/// What clients send and stores hold, always the same.
enum Samples {
    /// The digest that stands for `number`.
    static func digest(_ number: Int) throws -> Digest {
        var generator = SeededGenerator(seed: UInt64(number))
        let bytes = (0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) }
        guard let digest = Digest(.sha256, bytes: bytes) else { throw Unexpected("no digest") }
        return digest
    }

    static func name() throws -> RepositoryName {
        guard let name = RepositoryName(parsing: "library/nginx") else {
            throw Unexpected("no name")
        }
        return name
    }

    static func tag(_ number: Int) throws -> Tag {
        guard let tag = Tag(parsing: "1.\(number)-bookworm") else { throw Unexpected("no tag") }
        return tag
    }

    /// The path of a manifest by digest.
    static func path() throws -> String {
        "/v2/library/nginx/manifests/\(try digest(1))"
    }

    /// The head with which containerd asks for a manifest.
    static func requestHead() throws -> [UInt8] {
        let types = [
            "application/vnd.docker.distribution.manifest.v2+json",
            "application/vnd.docker.distribution.manifest.list.v2+json",
            "application/vnd.oci.image.manifest.v1+json",
            "application/vnd.oci.image.index.v1+json", "*/*",
        ]
        let lines = [
            "GET \(try path())?ns=docker.io HTTP/1.1", "Host: 127.0.0.1:5000",
            "User-Agent: containerd/1.6.20~ds1", "Accept: \(types.joined(separator: ", "))",
            "Accept-Encoding: gzip", "", "",
        ]
        return Array(lines.joined(separator: "\r\n").utf8)
    }
}

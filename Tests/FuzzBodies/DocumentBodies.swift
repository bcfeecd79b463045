import OCI
import Upstream

/// JSON documents of upstreams: token answers, manifests, tag lists, referrers (RES-2, RES-3).
enum DocumentBodies {
    static func token(_ bytes: [UInt8]) throws(FuzzFailure) {
        guard let answer = TokenAnswer(parsing: bytes, bytesMax: 64 << 10) else { return }
        try demand(!answer.token.isEmpty, "empty token")
        // A token becomes part of a header line.
        try demand(answer.token.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }, "bytes of a token")
        try demand((.seconds(60) ... .seconds(3600)).contains(answer.life), "\(answer.life)")
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("access_token", answer.token)
            writer.member("expires_in", answer.life.components.seconds)
        }
        try demand(TokenAnswer(parsing: writer.bytes, bytesMax: 1 << 20) == answer, "again")
    }

    /// The first line is the Content-Type if it is one; the rest is the manifest.
    static func manifest(_ bytes: [UInt8]) throws(FuzzFailure) {
        var document = bytes[...]
        var type: String?
        if let first = bytes.first, first != UInt8(ascii: "{"),
            let end = bytes.firstIndex(of: UInt8(ascii: "\n"))
        {
            type = String(decoding: bytes[..<end], as: UTF8.self)
            document = bytes[(end + 1)...]
        }
        guard let manifest = try? Manifest.parse(Array(document), contentType: type) else { return }
        var digests: Set<Digest> = []
        for child in manifest.children {
            try demand(digests.insert(child.digest).inserted, "a child twice")
            try demand(child.size >= 0, "negative size")
            try demand(Digest(parsing: child.digest.description) == child.digest, "digest")
        }
        try demand(MediaType.isValid(manifest.mediaType), "media type")
        // INT-6: told its own type it is the same manifest.
        let again = try? Manifest.parse(Array(document), contentType: manifest.mediaType)
        try demand(again == manifest, "another manifest under its own type")
    }

    static func listing(_ bytes: [UInt8]) throws(FuzzFailure) {
        if let list = try? TagList.parse(bytes) {
            let again = try? TagList.parse(list.encode())
            try demand(again?.tags == list.tags && again?.name == list.name, "tag list")
            let sorted = TagList(name: list.name, tags: list.tags.sorted())
            let (page, more) = sorted.page(after: nil, count: 2)
            try demand(page.tags.count <= 2 && more == (list.tags.count > 2), "page")
        }
        if let index = try? ReferrersIndex.parse(bytes) {
            let written = index.encode()
            let again = try? ReferrersIndex.parse(written)
            try demand(again?.encode() == written, "referrers")
            try demand(again?.descriptors.count == index.descriptors.count, "referrers left out")
        }
    }
}

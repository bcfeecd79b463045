import HTTP
import Upstream

/// Values of response fields that an upstream chooses: challenges, links, redirects, Cache-Status.
enum HeaderValueBodies {
    static func challenge(_ bytes: [UInt8]) throws(FuzzFailure) {
        // Each line of the input is a field of its own.
        let lines = bytes.split(separator: UInt8(ascii: "\n"))
            .map { String(decoding: $0, as: UTF8.self) }
        let challenges = Challenge.parse(lines)
        let read = lines.reduce(0) { $0 + $1.utf8.count }
        try demand(challenges.count <= read, "more challenges than bytes")
        for challenge in challenges {
            try demand(challenge.scheme == challenge.scheme.lowercased(), "scheme in lower case")
            let written = describe(challenge)
            guard written.utf8.count <= Challenge.bytesMax else { continue }
            try demand(Challenge.parse([written]) == [challenge], "written again: \(written)")
        }
    }

    private static func describe(_ challenge: Challenge) -> String {
        if let token = challenge.token { return "\(challenge.scheme) \(token)" }
        let parameters = challenge.parameters.map { parameter in
            let escaped = parameter.value.unicodeScalars.reduce(into: "") { text, scalar in
                if scalar == "\"" || scalar == "\\" { text += "\\" }
                text.unicodeScalars.append(scalar)
            }
            return "\(parameter.name)=\"\(escaped)\""
        }
        guard !parameters.isEmpty else { return challenge.scheme }
        return "\(challenge.scheme) \(parameters.joined(separator: ", "))"
    }

    static func link(_ bytes: [UInt8]) throws(FuzzFailure) {
        let text = String(decoding: bytes, as: UTF8.self)
        if let target = LinkHeader.next(in: text) {
            try demand(!target.isEmpty, "empty target")
            try demand(target.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }, "bytes of a target")
            try demand(LinkHeader.next(in: LinkHeader.build(next: target)) == target, "again")
            try checkURL(target)
        }
        try checkURL(text)
    }

    /// What was checked is what is dialled: a URL's own text means the same URL (SSRF-2).
    private static func checkURL(_ text: String) throws(FuzzFailure) {
        let base = RemoteURL(parsing: "https://registry.example:8443/v2/a/tags/list?n=1")
        for url in [RemoteURL(parsing: text), RemoteURL(resolving: text, against: base)] {
            guard let url else { continue }
            try demand(RemoteURL(parsing: url.text) == url, "URL \(url.text)")
            try demand(!url.text.contains("#") && !url.host.isEmpty, "URL \(url.text)")
            try demand(!url.host.contains("@") && url.path.hasPrefix("/"), "URL \(url.text)")
            try demand(url.text.utf8.count <= RemoteURL.bytesMax, "length of a URL")
        }
    }

    static func cacheStatus(_ bytes: [UInt8]) throws(FuzzFailure) {
        let text = String(decoding: bytes, as: UTF8.self)
        let status = CacheStatus(forward: .uriMiss, forwardStatus: 200, detail: text)
        let own = status.value()
        for value in [own, status.value(appendingTo: text)] {
            try demand(value.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f }, "bytes of \(value)")
            try demand(value.hasSuffix(own), "own member is not the last")
            var fields = HeaderFields()
            try demand(fields.append("Cache-Status", value), "refused as a field")
            let bound = CacheStatus.upstreamBytesMax + own.utf8.count + 2
            try demand(value.utf8.count <= bound, "too long")
        }
    }
}

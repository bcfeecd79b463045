import CSimulation
import OCI
import Reactor
import Store

/// What clients may see of an exchange, and what they do next.
extension Simulation {
    /// Statuses that a pull may get on a bad day.
    private static let troubles = [400, 403, 404, 416, 502, 503, 504]
    /// How long "not found" or "denied" may be repeated, with the time that answers take.
    private static let refusalEcho = Duration.seconds(95)
    /// How long a tag's answer may take from the upstream to the client.
    private static let answerAge = Duration.seconds(40)

    func judge(_ end: SimulatedClient.End, of client: SimulatedClient) {
        let (exchange, response) = (end.exchange, end.response)
        trace.add(
            "\(client.id) \(exchange.text): \(end.how) \(response.status) \(response.body.count)")
        guard !response.isMalformed else {
            return violate("malformed answer", end, client)
        }
        switch end.how {
        case .left: return
        case .cut: judgeCut(end, client)
        case .complete:
            switch exchange.what {
            case .garbage:
                if response.status != 400 { violate("garbage is answered", end, client) }
            case .manifest(let reference): judgeManifest(reference, end, client)
            case .blob(let digest, let held): judgeBlob(digest, held, end, client)
            }
        }
    }

    private func violate(
        _ what: String, _ end: SimulatedClient.End, _ client: SimulatedClient
    ) {
        violations.append(
            "client \(client.id), \(end.exchange.text), status \(end.response.status): \(what)")
    }

    // MARK: - Cut bodies

    private func judgeCut(_ end: SimulatedClient.End, _ client: SimulatedClient) {
        if !isStopping, mustBeThere(end) {
            violate("the body of what is stored was cut", end, client)
        }
        if isHealed, !isDamaged(end.exchange) {
            violate("a body was cut without any fault", end, client)
        }
        // As containerd does: it comes back for the rest, and trusts what it has.
        guard case .blob(let digest, let held) = end.exchange.what, !isStopping, !isHealed,
            end.exchange.range == nil || !held.isEmpty, !chance(4)
        else { return }
        let known = held + end.response.body
        guard [200, 206].contains(end.response.status), !known.isEmpty,
            known.count < images.blobs[digest]?.count ?? 0
        else { return }
        var next = end.exchange
        next.what = .blob(digest, held: end.response.status == 200 ? end.response.body : known)
        next.range = known.count...Int.max
        client.add([next])
    }

    // MARK: - Manifests

    private func judgeManifest(
        _ reference: Reference, _ end: SimulatedClient.End, _ client: SimulatedClient
    ) {
        let (exchange, response) = (end.exchange, end.response)
        guard response.status == 200 else { return judgeTrouble(end, client) }
        let digest: Digest?
        if exchange.isHead {
            digest = response.fields["docker-content-digest"].flatMap { Digest(parsing: $0) }
        } else {
            digest = StreamingHash.digest(of: response.body, .sha256)
        }
        guard let digest, let image = images.images[digest] else {
            return violate("not a manifest of any registry", end, client)
        }
        switch reference {
        case .digest(let asked):
            if asked != digest { violate("another manifest", end, client) }
        case .tag: judgeTag(digest, end, client)
        }
        guard !exchange.isHead else { return }
        noteDelivered(digest, exchange)
        client.add(
            image.blobs.map {
                Exchange(
                    what: .blob($0, held: []), host: exchange.host, name: exchange.name,
                    usesNamespace: exchange.usesNamespace)
            })
    }

    /// A tag's image was what the upstream said, no longer ago than is allowed (UP-6).
    private func judgeTag(
        _ digest: Digest, _ end: SimulatedClient.End, _ client: SimulatedClient
    ) {
        let isStale = end.response.fields["warning"] != nil
        let age = isStale ? SimulatedDaemon.staleMax : SimulatedDaemon.tagTTL
        let start = end.asked + (.zero - age - Self.answerAge)
        let wasMeant = registries.contains {
            (end.exchange.host == nil || end.exchange.host == $0.host)
                && $0.meant(digest, by: end.exchange.name, since: start)
        }
        if !wasMeant { violate("the tag has not meant that for \(age)", end, client) }
    }

    // MARK: - Blobs

    private func judgeBlob(
        _ digest: Digest, _ held: [UInt8], _ end: SimulatedClient.End, _ client: SimulatedClient
    ) {
        let (exchange, response) = (end.exchange, end.response)
        guard response.status == 200 || response.status == 206 else {
            return judgeTrouble(end, client)
        }
        guard let bytes = images.blobs[digest] else { return }
        if exchange.isHead {
            if let length = response.number("content-length"), length != bytes.count {
                violate("HEAD says \(length) of \(bytes.count)", end, client)
            }
            return
        }
        guard response.status == 206 else {
            if !Self.isSame(response.body, bytes[...]) { violate("WRONG BODY", end, client) }
            return noteDelivered(digest, exchange)
        }
        guard let range = exchange.range, range.lowerBound < bytes.count else {
            return violate("a part nobody asked for", end, client)
        }
        let wanted = bytes[range.lowerBound...min(range.upperBound, bytes.count - 1)]
        if !Self.isSame(response.body, wanted) { violate("WRONG PART", end, client) }
        if !held.isEmpty, !Self.isSame(held, bytes[..<held.count]) {
            violate("WRONG BODY, completed by a part (INT-4)", end, client)
        }
    }

    private static func isSame(_ left: [UInt8], _ right: ArraySlice<UInt8>) -> Bool {
        guard left.count == right.count else { return false }
        return left.withUnsafeBytes { left in
            right.withUnsafeBytes { right in
                csimulation_is_same(left.baseAddress, right.baseAddress, left.count) != 0
            }
        }
    }

    // MARK: - Errors

    private func judgeTrouble(_ end: SimulatedClient.End, _ client: SimulatedClient) {
        let status = end.response.status
        if !Self.troubles.contains(status) { violate("no such status", end, client) }
        if isHealed, !isDamaged(end.exchange) {
            violate("trouble without any fault", end, client)
        }
        if mustBeThere(end) { violate("what is stored is not served", end, client) }
        guard [403, 404].contains(status) else { return }
        let isToldSo = registries.contains {
            (end.exchange.host == nil || end.exchange.host == $0.host)
                && $0.refused(since: end.asked + (.zero - Self.refusalEcho))
        }
        if !isToldSo { violate("no upstream said so", end, client) }
    }

    /// Whether the stored bytes of what is asked for may be found damaged by that.
    private func isDamaged(_ exchange: Exchange) -> Bool {
        switch exchange.what {
        case .blob(let digest, _): rotten.contains(digest)
        default: false
        }
    }

    // MARK: - What was pulled stays pullable

    private func key(_ digest: Digest, _ exchange: Exchange) -> String {
        "\(exchange.host ?? "group") \(exchange.name) \(digest)"
    }

    private func noteDelivered(_ digest: Digest, _ exchange: Exchange) {
        delivered.insert(key(digest, exchange))
    }

    /// Whether the store had it when it was asked for, and may not have evicted it.
    private func mustBeThere(_ end: SimulatedClient.End) -> Bool {
        let digest: Digest
        switch end.exchange.what {
        case .manifest(.digest(let asked)): digest = asked
        case .blob(let asked, _): digest = asked
        default: return false
        }
        return kept[key(digest, end.exchange)].map { $0 < end.asked } ?? false
    }
}

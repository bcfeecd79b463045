import Index
package import OCI
import Reactor
import Store

/// What verifying one stored object found.
package enum VerifyResult: String, CaseIterable, Sendable {
    case ok, damaged, missing
    /// Not stored any more, or it could not be looked at now.
    case skipped
}

/// An image that an operator keeps.
package struct PinnedImage: Sendable {
    /// As it was pinned: `docker.io/library/nginx:1.27`.
    package let image: String
    /// When it ends, in seconds since 1970; nil is never.
    package let until: Int64?
    package let note: String
}

/// Looking after stored content without anybody asking for it: `cistern verify` and the scrub.
extension Content {
    /// Reads and hashes a stored object; what is damaged is dropped and fetched again.
    ///
    /// At most `rate` bytes a second; nil is as fast as it goes. One that `yields` reads at an
    /// eighth of that while anything is sent or stored: others go first, but it comes to its end.
    package func scrub(
        _ digest: Digest, rate: Int64?, yields: Bool = false
    ) async -> VerifyResult {
        let isManifest = stored(digest) != nil
        let result = await store.scrub(digest) { count in
            guard let rate, rate > 0 else { return }
            let pause = Duration.seconds(Double(count) / Double(rate))
            await loop.pause(for: pause)
            guard yields else { return }
            for _ in 1..<Self.yieldingFactor where store.isInUse { await loop.pause(for: pause) }
        }
        switch result {
        case .ok:
            events.verified(nil, true)
            return .ok
        case .skipped: return .skipped
        case .damaged, .missing:
            events.verified(nil, false)
            heal(digest, isManifest: isManifest)
            return result == .missing ? .missing : .damaged
        }
    }

    /// How much slower a scrub is that yields.
    private static let yieldingFactor = 8

    /// Stored digests whose raw hash begins with `first`, all of them in 256 steps.
    package func stored(startingWith first: UInt8) async -> [Digest] {
        await workers.run { [index] in (try? index.digests(startingWith: first)) ?? [] }
    }

    /// The names under which something was pushed, with their repository; the first few.
    package func pushed(_ digest: Digest) async -> [String] {
        await workers.run { [index] in
            ((try? index.links(to: digest, limit: Self.namesMax)) ?? [])
                .filter { HostedKey.isHosted($0.repository) }
                .map { "\(HostedKey.name($0.repository))/\($0.name.text)" }
        }
    }

    /// Names of one blob that are told.
    private static let namesMax = 16

    /// A stored manifest and all that it names, what those name, and so on; each once.
    package func image(_ root: Digest) async -> [Digest] {
        await workers.run { [index] in
            var found = [root]
            var seen: Set<Digest> = [root]
            var next = 0
            while next < found.count, found.count < Self.imageMax {
                for child in (try? index.children(of: found[next])) ?? []
                where seen.insert(child.digest).inserted {
                    found.append(child.digest)
                }
                next += 1
            }
            return found
        }
    }

    /// Objects of one image that are looked at, at most.
    private static let imageMax = 65_536

    // MARK: - Pins

    /// What is not evicted, in the order of the names.
    package var pins: [PinnedImage] {
        ((try? index.pins()) ?? []).map { pin in
            let mark = pin.reference.contains(":") ? "@" : ":"
            return PinnedImage(
                image: "\(pin.repository)/\(pin.name)\(mark)\(pin.reference)",
                until: pin.until == PinRow.endless ? nil : pin.until, note: pin.note)
        }
    }
}

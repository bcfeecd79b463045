import OCI
import Synchronization

/// Links that were looked up a moment ago: pulls ask for the same ones again and again, and a hit
/// then needs no query.
///
/// Only what is linked is remembered, and only until any link is removed (or a tag changes, which
/// shares the epoch). Who reads a link while that happens must not put it back, so a link is added
/// under the epoch that was read before it.
final class KnownLinks: Sendable {
    /// Above this many digests, or names of digests, all are forgotten: about 8 MB, twice as much
    /// with names as long as may be.
    private static let digestsMax = 16_384
    private static let placesMax = 32_768
    /// Names under which one digest is remembered: a base layer is part of many images.
    private static let placesPerDigest = 8

    private struct Place: Equatable {
        let repository: String
        let name: String
    }

    private struct State {
        var places: [Digest: [Place]] = [:]
        /// Of all digests together.
        var placesCount = 0
        var epoch: UInt64 = 0
    }

    private let state = Mutex(State())

    /// See `ContentIndex.epoch`.
    var epoch: UInt64 { state.withLock { $0.epoch } }

    func contains(_ repository: String, _ name: RepositoryName, _ digest: Digest) -> Bool {
        state.withLock { state in
            state.places[digest]?.contains {
                $0.name == name.text && $0.repository == repository
            } ?? false
        }
    }

    /// Remembers a link that was read when `epoch` was the current one.
    func add(
        _ repository: String, _ name: RepositoryName, _ digest: Digest, since epoch: UInt64
    ) {
        state.withLock { state in
            guard state.epoch == epoch else { return }
            if state.places[digest]?.count == Self.placesPerDigest {
                state.places[digest]?.removeFirst()
                state.placesCount -= 1
            }
            if state.places.count >= Self.digestsMax || state.placesCount >= Self.placesMax {
                state.places.removeAll()
                state.placesCount = 0
            }
            let place = Place(repository: repository, name: name.text)
            state.places[digest, default: []].append(place)
            state.placesCount += 1
        }
    }

    /// Forgets everything, and begins another epoch.
    func forget() {
        state.withLock { state in
            state.places.removeAll(keepingCapacity: true)
            state.placesCount = 0
            state.epoch &+= 1
        }
    }
}

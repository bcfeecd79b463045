package import OCI
import Reactor
import Synchronization

/// What a command that moves images asks of a registry, beyond what a proxy asks its upstream:
/// lists of everything, and pushes.
///
/// The daemon sends none of these.
package struct RegistryCall: Sendable {
    /// Where it goes.
    package enum Place: Sendable {
        /// A path below the registry's address with its query, made of parsed values only, such as
        /// `v2/_catalog?n=100`.
        case path(String)
        /// Where an answer led: a page's `Link`, an upload's `Location`. Elsewhere the login does
        /// not go along (CRED-3).
        case link(String)
    }

    /// What is sent along.
    package enum Body: Sendable {
        case none
        case bytes([UInt8])
        /// Bytes of a known count, taken one chunk at a time as they go out; asked for once.
        case stream(any UpstreamBody, length: Int64)
    }

    package var method: UpstreamRequest.Method
    package var place: Place
    /// The image it is about, for the scope of its token; nil for the registry as a whole.
    package var name: RepositoryName?
    /// Another image that it reads, as a mount does: its token is for that, too.
    package var origin: RepositoryName?
    /// Header lines, each `Name: value`.
    package var fields: [String]
    package var body: Body
    /// How long the answer may take once the request is out; nil for the client's own bounds.
    package var patience: Duration?
    /// Whether the login goes along without having been asked for: where everybody gets an answer,
    /// but not everybody the same.
    package var showsLogin = false

    package init(
        _ method: UpstreamRequest.Method, _ place: Place, about name: RepositoryName? = nil,
        fields: [String] = [], body: Body = .none, patience: Duration? = nil
    ) {
        self.method = method
        self.place = place
        self.name = name
        self.fields = fields
        self.body = body
        self.patience = patience
    }
}

/// Bytes in memory as the body of a request.
final class MemoryBody: UpstreamBody {
    private let chunk: Chunk
    private let isTaken = Atomic(false)

    init(_ bytes: [UInt8]) {
        chunk = Chunk(bytes)
    }

    func next() async throws(UpstreamError) -> Chunk? {
        isTaken.exchange(true, ordering: .relaxed) || chunk.count == 0 ? nil : chunk
    }

    func cancel() {}
}

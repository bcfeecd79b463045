/// A parser of untrusted bytes, with what must hold for whatever it is given (P11, SWIFT-1).
///
/// The same bodies run under libFuzzer with AddressSanitizer (`scripts/fuzz`) and over the corpora
/// in `Tests/FuzzTests/Corpus` (`scripts/test`). A body traps, hangs or throws if a promise breaks.
package enum FuzzTarget: String, CaseIterable, Sendable {
    case requestHead = "request-head"
    case chunkedBody = "chunked-body"
    case requestTarget = "request-target"
    case range
    case challenge
    case link
    case cacheStatus = "cache-status"
    case upstreamHead = "upstream-head"
    case json
    case tokenJSON = "token-json"
    case manifestJSON = "manifest-json"
    case listingJSON = "listing-json"
    case configuration

    /// Gives one input to the parser and checks its promises.
    package func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        switch self {
        case .requestHead: try RequestHeadBody.run(bytes)
        case .chunkedBody: try ChunkedBody.run(bytes)
        case .requestTarget: try RequestTargetBody.run(bytes)
        case .range: try RangeBody.run(bytes)
        case .challenge: try HeaderValueBodies.challenge(bytes)
        case .link: try HeaderValueBodies.link(bytes)
        case .cacheStatus: try HeaderValueBodies.cacheStatus(bytes)
        case .upstreamHead: try UpstreamHeadBody.run(bytes)
        case .json: try JSONBody.run(bytes)
        case .tokenJSON: try DocumentBodies.token(bytes)
        case .manifestJSON: try DocumentBodies.manifest(bytes)
        case .listingJSON: try DocumentBodies.listing(bytes)
        case .configuration: try ConfigurationBody.run(bytes)
        }
    }
}

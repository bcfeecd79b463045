/// One request's way through redirects (CRED-3): a pure value, asked at every hop.
struct RedirectChain {
    private(set) var url: RemoteURL
    /// Whether the upstream's credentials may still be sent; once false, false for good.
    private(set) var mayAuthenticate = true
    /// Whether a redirect has been followed.
    private(set) var hasMoved = false
    private var hopsLeft: Int

    init(from url: RemoteURL, hopsMax: Int) {
        self.url = url
        self.hopsLeft = hopsMax
    }

    /// Moves on to a `Location`, or says why not.
    mutating func follow(location: String?) throws(UpstreamError) {
        guard let location else { throw .badResponse("redirect without Location") }
        guard hopsLeft > 0 else { throw .refusedRedirect("too many hops") }
        guard let target = RemoteURL(resolving: location, against: url) else {
            throw .refusedRedirect("unacceptable Location from \(url.origin)")
        }
        if url.scheme == .https, target.scheme != .https {
            throw .refusedRedirect("from https to \(target.origin)")
        }
        if target.origin != url.origin { mayAuthenticate = false }
        hopsLeft -= 1
        hasMoved = true
        url = target
    }
}

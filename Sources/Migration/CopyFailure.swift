package import OCI
package import Upstream

/// Why something was not copied: what the report says, and what is to be done about it.
package struct CopyFailure: Error, Sendable {
    package enum Cause: Sendable {
        /// No answer that can be used.
        case transport(UpstreamError)
        /// An answer that says no.
        case answer(status: Int, code: String, message: String)
        /// Bytes that are not what their digest says, a manifest that is none.
        case content(String)
        case badManifest(ManifestError)
        /// It is more than is taken of anybody.
        case bound(String)
        /// A file of this machine: the list of images, the state.
        case local(String, fix: String)
        /// The run was ended.
        case interrupted
    }

    package let side: Side
    /// What was asked for, such as `blob sha256:…`; may be empty.
    package let what: String
    package let cause: Cause
    /// When asking again may help, as the registry says.
    package var retryAfter: Duration?

    package init(_ side: Side, _ what: String, _ cause: Cause, retryAfter: Duration? = nil) {
        self.side = side
        self.what = what
        self.cause = cause
        self.retryAfter = retryAfter
    }
}

extension CopyFailure {
    /// Whether the same request may be answered otherwise a moment later.
    var isWorthRepeating: Bool {
        switch cause {
        case .transport(let error): Self.mayPass(error)
        // A token may have run out while a blob was sent.
        case .answer(let status, _, _): status == 401 || status == 408 || status >= 500
        case .content: true
        case .badManifest, .bound, .local, .interrupted: false
        }
    }

    private static func mayPass(_ error: UpstreamError) -> Bool {
        switch error {
        case .resolve, .connect, .timeout, .stalled, .reset, .truncated, .badResponse,
            .tokenFailed, .tooManyRequests, .spared, .overloaded, .breakerOpen, .cancelled:
            true
        case .elsewhere(let error): mayPass(error)
        case .tls, .tooLarge, .refusedAddress, .refusedRedirect, .refusedRealm, .tokenDenied,
            .offline:
            false
        }
    }

    /// Whether the registry asked to be left alone for a while.
    var isLimit: Bool {
        switch cause {
        case .transport(.tooManyRequests): true
        case .answer(let status, _, _): status == 429 || (status == 503 && retryAfter != nil)
        default: false
        }
    }

    /// Whether it is a no to this login.
    package var isDenial: Bool {
        switch cause {
        case .transport(.tokenDenied): true
        case .answer(let status, _, _): status == 401 || status == 403
        default: false
        }
    }

    /// Whether the registry as a whole does not answer.
    package var isOutage: Bool {
        if case .transport(let error) = cause {
            switch error {
            case .resolve, .connect, .tls, .timeout, .refusedAddress: return true
            default: return false
            }
        }
        return false
    }

    package var isMissing: Bool {
        if case .answer(404, _, _) = cause { true } else { false }
    }

    package var isInterruption: Bool {
        if case .interrupted = cause { true } else { false }
    }
}

extension CopyFailure: CustomStringConvertible {
    /// One line: where, what, why.
    package var description: String {
        let why =
            switch cause {
            case .transport(let error): "\(error)"
            case .answer(let status, let code, let message):
                [String(status), code, message].filter { !$0.isEmpty }.joined(separator: " ")
            case .content(let text), .bound(let text): text
            case .badManifest(let error): "\(error)"
            case .local(let text, _): text
            case .interrupted: "interrupted"
            }
        switch cause {
        case .local, .interrupted: return why
        default: break
        }
        return what.isEmpty ? "\(side.rawValue): \(why)" : "\(side.rawValue): \(what): \(why)"
    }

    /// What to do about it.
    package var fix: String {
        switch cause {
        case .local(_, let fix): fix
        case .interrupted: "run the same command again: it goes on where it was"
        case .bound: "--include and --exclude make it less"
        case .content where side == .source:
            "it is damaged there: push it again from a machine that has it"
        case .content:
            "the destination changes what it is sent: look at its log and at proxies before it"
        case .badManifest(.schema1): "pull and push it again with a current client"
        case .badManifest: "push it again with a current client"
        case .transport(let error): Self.fix(error, side)
        case .answer(let status, _, _): fix(status)
        }
    }

    private static func fix(_ error: UpstreamError, _ side: Side) -> String {
        switch error {
        case .tls: "--ca FILE with the authority's certificate, or http:// in front of the host"
        case .tokenDenied: login(side)
        case .refusedRealm: "--realm URL, if that is where its tokens come from"
        case .resolve, .connect, .timeout, .refusedAddress: "look whether the address is right"
        case .tooLarge: "nothing of this size is a manifest: push it again with a current client"
        default: "run the same command again: it goes on where it was"
        }
    }

    private static func login(_ side: Side) -> String {
        side == .source
            ? "a login that may pull it: --src-login FILE, or docker login"
            : "a login that may push there: --dest-login FILE, or docker login"
    }

    private func fix(_ status: Int) -> String {
        switch (status, side) {
        case (401, _), (403, _): Self.login(side)
        case (404, .source):
            "it is not there: if the registry lists it, push it again or delete the tag"
        case (404, .destination), (405, .destination):
            "a hosted repository has to be there first: [repositories.NAME] type = \"hosted\""
        case (413, .destination): "raise limits.manifest_size, or max_size, of the destination"
        case (409, .destination):
            "the tag is there already, with other content: delete it, or leave it with -n"
        case (429, _), (500..., _): "run the same command again: it goes on where it was"
        default: "look at the log of the \(side.rawValue)"
        }
    }
}

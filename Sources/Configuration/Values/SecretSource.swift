/// Where a secret is read from, at start and at each reload.
package enum SecretSource: Sendable, Equatable, CustomStringConvertible {
    /// `{ file = "/path" }`: a file that nobody but its owner can read (LOC-1).
    case file(String)
    /// `{ credential = "name" }`: systemd's `LoadCredential=name:…`.
    case credential(String)
    /// `{ env = "NAME" }`: an environment variable.
    case environment(String)

    package var description: String {
        switch self {
        case .file(let path): "file \(path)"
        case .credential(let name): "credential \(name)"
        case .environment(let name): "environment variable \(name)"
        }
    }
}

extension SecretSource {
    /// Why a secret could not be had; the secret itself is in none of these.
    package enum LoadError: Error, Equatable, Sendable {
        /// The file could not be read.
        case file(InputFile.Failure)
        /// `$CREDENTIALS_DIRECTORY` is not set: the process was not started by systemd.
        case noCredentialsDirectory
        /// The environment variable is not set.
        case unset
        case empty
        /// It holds CR, LF or NUL, which no header could carry (CRED-5).
        case forbiddenByte
    }

    /// Registry tokens have a few KiB.
    private static let bytesMax = 65536

    /// Reads the secret, without one line end at its close.
    ///
    /// A file must be readable by nobody but its owner (LOC-1). systemd guards a credential by its
    /// directory and may give the service access by an ACL, which shows as a group bit: there only
    /// the bits of others count.
    package func load(environment: [String: String]) throws(LoadError) -> Secret {
        try Self.checked(bytes(environment))
    }

    /// Reads a secret of many lines as it is, such as a private key.
    func loadText(environment: [String: String]) throws(LoadError) -> Secret {
        let bytes = try bytes(environment)
        guard !bytes.isEmpty else { throw .empty }
        return Secret(bytes: bytes)
    }

    private func bytes(_ environment: [String: String]) throws(LoadError) -> [UInt8] {
        switch self {
        case .file(let path):
            return try Self.read(path, forbidden: 0o077)
        case .credential(let name):
            guard let directory = environment["CREDENTIALS_DIRECTORY"] else {
                throw .noCredentialsDirectory
            }
            return try Self.read("\(directory)/\(name)", forbidden: 0o007)
        case .environment(let name):
            guard let value = environment[name] else { throw .unset }
            return Array(value.utf8)
        }
    }

    private static func read(_ path: String, forbidden: UInt32) throws(LoadError) -> [UInt8] {
        do throws(InputFile.Failure) {
            return try InputFile.readPrivate(path: path, forbidden: forbidden, max: bytesMax)
        } catch { throw .file(error) }
    }

    private static func checked(_ read: [UInt8]) throws(LoadError) -> Secret {
        var bytes = read
        if bytes.last == UInt8(ascii: "\n") {
            bytes.removeLast()
            if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        }
        guard !bytes.isEmpty else { throw .empty }
        guard !bytes.contains(where: { $0 == 0 || $0 == 10 || $0 == 13 }) else {
            throw .forbiddenByte
        }
        return Secret(bytes: bytes)
    }

    /// What is wrong and what to do, for the configuration's error.
    func explain(_ error: LoadError) -> (message: String, help: String?) {
        switch error {
        case .file(.tooOpen(let mode)):
            return (
                "\(self) can be read by others (mode \(String(mode, radix: 8)))",
                helpForMode
            )
        case .file(let failure): return ("cannot read \(self): \(failure)", nil)
        case .noCredentialsDirectory:
            return (
                "\(self) cannot be read: $CREDENTIALS_DIRECTORY is not set",
                "systemd sets it for a unit with LoadCredential="
            )
        case .unset: return ("\(self) is not set", nil)
        case .empty: return ("\(self) is empty", nil)
        case .forbiddenByte: return ("\(self) holds a line end or NUL within", nil)
        }
    }

    private var helpForMode: String? {
        if case .file(let path) = self { "chmod 600 \(path)" } else { nil }
    }
}

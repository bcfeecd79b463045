/// Everything a configuration is made of, before it is merged.
package struct ConfigurationSource: Sendable {
    /// Values of the command line, which win over all others.
    package struct Flags: Sendable, Equatable {
        /// `--listen`: these addresses instead of the file's listeners.
        package var listen: [String] = []
        /// `--store`: the store's directory, relative to the working directory.
        package var store: String?
        /// `--max-size`.
        package var maxSize: String?

        package init(listen: [String] = [], store: String? = nil, maxSize: String? = nil) {
            self.listen = listen
            self.store = store
            self.maxSize = maxSize
        }
    }

    /// What the configuration is wanted for.
    package enum Purpose: Sendable {
        /// To be used: every secret must be readable.
        case serve
        /// To be looked at, perhaps outside the service: systemd's credentials may be absent.
        case check
    }

    /// The file's name and bytes; nil for none.
    var file: (name: String, bytes: [UInt8])?
    var environment: [String: String]
    var flags: Flags
    var host: Host
    var purpose: Purpose
}

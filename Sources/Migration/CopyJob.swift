/// What a command is to copy, where to, and how.
package struct CopyJob: Sendable {
    package enum What: Sendable {
        case image(ImageReference, to: ImageReference)
        case allTags(ImageReference, to: ImageReference)
        /// Each under its own name, below an address.
        case list([ImageReference], to: RegistryAddress)
        case registry(RegistryAddress, only: [Renaming], to: RegistryAddress)
        case nexus(RegistryAddress, only: [Renaming], since: String?, to: RegistryAddress)
    }

    /// `A=B`: what is called A at the source is called B at the destination; B is nil for `A`.
    package struct Renaming: Sendable, Equatable {
        package let old: String
        package let new: String?

        /// Nil if it is none.
        package init?(parsing text: String) {
            let parts = text.split(separator: "=", omittingEmptySubsequences: false)
            guard (1...2).contains(parts.count), let first = parts.first, !first.isEmpty else {
                return nil
            }
            old = String(first)
            new = parts.count == 2 ? String(parts[1]) : nil
        }
    }

    package var what: What
    package var access: RegistryAccess
    package var filter = NameFilter()
    /// Of an index only this platform's image.
    package var platform: String?
    /// Tags that are there with other content stay as they are.
    package var keepsTags = false
    /// Says what would be copied and copies nothing.
    package var isDryRun = false
    /// Where it is kept what earlier runs have brought; nil for nowhere.
    package var statePath: String?

    package init(_ what: What, _ access: RegistryAccess) {
        self.what = what
        self.access = access
    }

    /// Whether it is about a single image, whose failure is the command's.
    var isSingle: Bool {
        if case .image = what { true } else { false }
    }

    var destination: RegistryAddress {
        switch what {
        case .image(_, let target), .allTags(_, let target): target.registry
        case .list(_, let address), .registry(_, _, let address), .nexus(_, _, _, let address):
            address
        }
    }

    /// From where to where, as the file of states is titled.
    package var title: String {
        switch what {
        case .registry(let source, _, let target), .nexus(let source, _, _, let target):
            "\(source.base)/\(source.prefix) \(target.base)/\(target.prefix)"
        case .image, .allTags, .list: "\(destination)"
        }
    }
}

/// How a command ended.
package enum CopyEnding: Sendable {
    case done
    /// Some images failed; the report names them.
    case someFailed
    /// Nothing could be done, or there is no use in going on.
    case failed(CopyFailure)
    case interrupted
}

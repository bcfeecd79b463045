import OCI
import Reactor

/// Makes the parts of a run: both registries, what lists the one and what copies to the other.
struct CopyBuilder {
    let job: CopyJob
    let loop: EventLoop
    let scoreboard: Scoreboard

    func destination() throws(CopyFailure) -> RemoteRegistry {
        try RemoteRegistry(.destination, job.destination, job.access, on: loop)
    }

    func copier(_ destination: RemoteRegistry, _ pacer: Pacer) -> ImageCopier {
        let blobs = BlobCopier(
            destination: destination, ledger: BlobLedger(loop),
            transfers: Turnstile(loop, places: 2 * job.access.jobs), pacer: pacer,
            scoreboard: scoreboard)
        return ImageCopier(
            blobs: blobs, pacer: pacer, scoreboard: scoreboard, platform: job.platform,
            keepsTags: job.keepsTags)
    }

    private func source(_ address: RegistryAddress) throws(CopyFailure) -> RemoteRegistry {
        try RemoteRegistry(.source, address, job.access, on: loop)
    }

    /// Finds all images of the job.
    func list(_ found: Findings, _ pacer: Pacer) async throws(CopyFailure) {
        switch job.what {
        case .image(let image, let target):
            try await found.add([try item(image, target)])
        case .allTags(let image, let target):
            let pair = RegistryCatalogue.Pair(name: image.name, target: target.name)
            try await catalogue(
                image.registry, target.registry, [pair], pacer
            ).list(found)
        case .list(let images, let address): try await add(images, to: address, found)
        case .registry(let address, let only, let target):
            let pairs = try renamed(only, target)
            try await catalogue(address, target, pairs, pacer).list(found)
        case .nexus(let address, let only, let since, let target):
            try await nexus(address, only, since, target, pacer).list(found)
        }
    }

    private func catalogue(
        _ address: RegistryAddress, _ target: RegistryAddress, _ pairs: [RegistryCatalogue.Pair]?,
        _ pacer: Pacer
    ) throws(CopyFailure) -> RegistryCatalogue {
        RegistryCatalogue(
            source: try source(address), destination: target, pairs: pairs, filter: job.filter,
            pacer: pacer, scoreboard: scoreboard, jobs: job.access.jobs)
    }

    // MARK: - Single images

    private func item(
        _ image: ImageReference, _ target: ImageReference
    ) throws(CopyFailure) -> ImageItem {
        let reference = image.reference ?? .tag(.latest)
        return ImageItem(
            source: try source(image.registry), name: image.name, reference: reference,
            target: target.name, targetReference: target.reference ?? reference)
    }

    /// Each image under its own name; one client for each registry.
    private func add(
        _ images: [ImageReference], to address: RegistryAddress, _ found: Findings
    ) async throws(CopyFailure) {
        var sources: [RegistryAddress: RemoteRegistry] = [:]
        for image in images {
            let known = sources[image.registry]
            let source = if let known { known } else { try self.source(image.registry) }
            sources[image.registry] = source
            guard let target = address.name(of: image.name) else {
                try await found.failed("\(image)", RegistryCatalogue.tooLong(image.name))
                continue
            }
            let reference = image.reference ?? .tag(.latest)
            try await found.add([
                ImageItem(
                    source: source, name: image.name, reference: reference, target: target,
                    targetReference: reference)
            ])
        }
    }

    // MARK: - Whole registries

    /// Names that were given, each with what it is called at the destination.
    private func renamed(
        _ only: [CopyJob.Renaming], _ target: RegistryAddress
    ) throws(CopyFailure) -> [RegistryCatalogue.Pair]? {
        guard !only.isEmpty else { return nil }
        var pairs: [RegistryCatalogue.Pair] = []
        for renaming in only {
            guard let name = RepositoryName(parsing: renaming.old),
                let new = RepositoryName(parsing: renaming.new ?? renaming.old),
                let whole = target.name(of: new)
            else { throw Self.invalid(renaming) }
            pairs.append(RegistryCatalogue.Pair(name: name, target: whole))
        }
        return pairs
    }

    /// Each repository of the Nexus goes below the destination under its own name, or another.
    private func nexus(
        _ address: RegistryAddress, _ only: [CopyJob.Renaming], _ since: String?,
        _ target: RegistryAddress, _ pacer: Pacer
    ) async throws(CopyFailure) -> NexusCatalogue {
        let nexus = try source(address)
        var renamings = only
        if renamings.isEmpty {
            let names = try await pacer.attempt { () throws(CopyFailure) in
                try await nexus.hostedRepositories()
            }
            renamings = names.compactMap { CopyJob.Renaming(parsing: $0) }
        }
        var parts: [NexusCatalogue.Part] = []
        for renaming in renamings {
            guard Self.isRepository(renaming.old),
                let place = target.with(prefix: renaming.new ?? renaming.old.lowercased())
            else { throw Self.invalid(renaming) }
            parts.append(
                NexusCatalogue.Part(
                    repository: renaming.old,
                    source: try source(address.below("repository/\(renaming.old)")),
                    destination: place))
        }
        return NexusCatalogue(
            nexus: nexus, parts: parts, filter: job.filter, since: since, pacer: pacer)
    }

    /// The characters that Nexus allows in a repository's name.
    private static func isRepository(_ name: String) -> Bool {
        (1...200).contains(name.utf8.count) && name != "." && name != ".."
            && name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) }
    }

    private static func invalid(_ renaming: CopyJob.Renaming) -> CopyFailure {
        let text = [renaming.old, renaming.new ?? ""].filter { !$0.isEmpty }
        return CopyFailure(
            .destination, "",
            .local(
                "\(ErrorAnswer.shown(text.joined(separator: "="))) is no name, or gives none",
                fix: "--repository OLD=NEW with a valid name"))
    }
}

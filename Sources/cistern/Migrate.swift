import ArgumentParser
import Configuration
import Migration
import OCI

/// `cistern migrate`: everything of an old registry.
struct Migrate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Move everything of an old registry to a hosted repository.",
        discussion: """
            cistern migrate registry https://old.example.org --to cache.example.org/releases
            cistern migrate nexus https://nexus.example.org --to cache.example.org

            Every name, tag and referrer, with the same digests. Run it again to go on after an
            interruption, or to bring what is new: what is there is not sent again.
            \(ExitStatus.transferHelp)
            """,
        subcommands: [FromRegistry.self, FromNexus.self])

    /// What is moved, and where it is noted what has been.
    struct Selection: ParsableArguments {
        @Option(
            name: .customLong("to"),
            help: ArgumentHelp(
                "Where it goes: the destination's address, with a repository's name behind it.",
                valueName: "address"))
        var destination: String

        @Option(
            help: ArgumentHelp(
                "Only names like this, such as 'team/**'; may be given several times.",
                valueName: "pattern"))
        var include: [String] = []

        @Option(help: ArgumentHelp("No names like this.", valueName: "pattern"))
        var exclude: [String] = []

        @Option(
            help: ArgumentHelp(
                "Where it is kept what has been brought; else a file in ~/.local/state/cistern.",
                valueName: "file"))
        var state: String?

        func validate() throws {
            for text in include + exclude where NamePattern(parsing: text) == nil {
                throw ValidationError(
                    "\(Spelling.quoted(text)) is no pattern of names, such as 'team/**'.")
            }
        }

        func address() throws -> RegistryAddress {
            try TransferOptions.address(destination, "the destination")
        }

        func complete(_ job: CopyJob) -> CopyJob {
            var job = job
            job.filter.including = include.compactMap { NamePattern(parsing: $0) }
            job.filter.excluding = exclude.compactMap { NamePattern(parsing: $0) }
            job.statePath = state ?? Journal.usualPath(job.title)
            return job
        }
    }

    static func renamings(_ texts: [String]) throws -> [CopyJob.Renaming] {
        try texts.map { text in
            guard let renaming = CopyJob.Renaming(parsing: text) else {
                throw TransferOptions.failure(
                    "--repository takes NAME or OLD=NEW, not \"\(Spelling.quoted(text))\"",
                    fix: "--repository team/app=app", ExitStatus.usage)
            }
            return renaming
        }
    }

    struct FromRegistry: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "registry", abstract: "From any registry that lists what it has.",
            discussion: """
                cistern migrate registry https://old.example.org --to cache.example.org/releases
                cistern migrate registry http://old:5000 --to http://10.0.0.7:5000/releases \
                --dry-run

                Names are listed by /v2/_catalog; where there is none, by --repository.
                \(ExitStatus.transferHelp)
                """)

        @Argument(help: ArgumentHelp("The old registry.", valueName: "url"))
        var url: String

        @Option(
            help: ArgumentHelp(
                "Only this name, and OLD=NEW under another; may be given several times.",
                valueName: "name"))
        var repository: [String] = []

        @OptionGroup var selection: Selection
        @OptionGroup var options: TransferOptions

        func run() throws {
            let source = try TransferOptions.address(url, "the source")
            guard source.prefix.isEmpty else {
                throw TransferOptions.failure(
                    "the source \"\(Spelling.quoted(url))\" has a path",
                    fix: "its address alone, and --include '\(source.prefix)/**'",
                    ExitStatus.usage)
            }
            let job = CopyJob(
                .registry(
                    source, only: try Migrate.renamings(repository), to: try selection.address()),
                options.access)
            try options.run(selection.complete(job))
        }
    }

    struct FromNexus: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "nexus", abstract: "From a Nexus, by its REST API.",
            discussion: """
                cistern migrate nexus https://nexus.example.org --to cache.example.org
                cistern migrate nexus https://nexus.example.org --to cache.example.org \
                --repository docker-hosted=releases

                Every hosted repository of images goes to one of the same name, or of the name
                behind the =. Content is read through /repository/NAME/v2/.
                \(ExitStatus.transferHelp)
                """)

        @Argument(help: ArgumentHelp("The Nexus, with its path if it has one.", valueName: "url"))
        var url: String

        @Option(
            help: ArgumentHelp(
                "Only this repository of it, and OLD=NEW to another; may be given several times.",
                valueName: "name"))
        var repository: [String] = []

        @Option(
            help: ArgumentHelp(
                "Only what was changed on this day or later.", valueName: "yyyy-mm-dd"))
        var since: String?

        @OptionGroup var selection: Selection
        @OptionGroup var options: TransferOptions

        func validate() throws {
            let parts = since?.split(separator: "-", omittingEmptySubsequences: false) ?? []
            let isDate =
                parts.map(\.utf8.count) == [4, 2, 2]
                && parts.allSatisfy { $0.utf8.allSatisfy { (48...57).contains($0) } }
            guard since == nil || isDate else {
                throw ValidationError("--since takes a day, such as 2026-01-31.")
            }
        }

        func run() throws {
            guard let source = RegistryAddress(application: url) else {
                throw TransferOptions.failure(
                    "\"\(Spelling.quoted(url))\" is no address of a Nexus",
                    fix: "https://nexus.example.org", ExitStatus.usage)
            }
            let job = CopyJob(
                .nexus(
                    source, only: try Migrate.renamings(repository), since: since,
                    to: try selection.address()), options.access)
            try options.run(selection.complete(job))
        }
    }
}

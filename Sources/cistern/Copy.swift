import ArgumentParser
import Configuration
import Glibc
import Linux
import Migration

/// `cistern copy`: images from one registry to another, byte for byte.
struct Copy: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Copy images from one registry to another, byte for byte.",
        discussion: """
            cistern copy old.example.org/team/app:1.4 cache.example.org/releases/team/app:1.4
            cistern copy -a old.example.org/team/app cache.example.org/releases/team/app
            cistern copy --from-file images.txt cache.example.org/releases

            With all platforms, signatures and whatever else refers to an image; what is there is
            not sent again. Without a scheme it is HTTPS, and HTTP for this machine's own
            addresses; http://… says plain HTTP. Logins are those of docker login and podman login.
            \(ExitStatus.transferHelp)
            """)

    @Argument(help: "The image, and what it is to be called; with --from-file only the latter.")
    var images: [String]

    @Flag(name: [.short, .customLong("all-tags")], help: "All tags of the name.")
    var all = false

    @Flag(
        name: [.customShort("n"), .customLong("no-clobber")],
        help: "Leave tags that are there already with other content.")
    var noClobber = false

    @Option(
        help: ArgumentHelp(
            "Copy the images of a file, one a line, each under its own name.", valueName: "file"))
    var fromFile: String?

    @Option(
        help: ArgumentHelp(
            "Of images for several platforms only this one, as linux/amd64.",
            valueName: "platform"))
    var platform: String?

    @OptionGroup var options: TransferOptions

    func validate() throws {
        if fromFile != nil, all {
            throw ValidationError("--from-file and --all-tags exclude each other.")
        }
        if let platform, !(2...3).contains(platform.split(separator: "/").count) {
            throw ValidationError("--platform takes os/architecture, such as linux/amd64.")
        }
        guard images.count == (fromFile == nil ? 2 : 1) else {
            throw ValidationError(
                fromFile == nil
                    ? "Name the image and what it is to be called."
                    : "With --from-file name where the images go, and nothing else.")
        }
    }

    func run() throws {
        var job = CopyJob(try what(), options.access)
        job.platform = platform
        job.keepsTags = noClobber
        try options.run(job)
    }

    private func what() throws -> CopyJob.What {
        if let fromFile {
            return .list(
                try Self.references(fromFile),
                to: try TransferOptions.address(images[0], "the destination"))
        }
        let source = try Self.reference(images[0])
        let target = try Self.reference(images[1])
        guard !target.registry.isDockerHub || images[1].contains("docker.io") else {
            throw TransferOptions.failure(
                "the destination \(Spelling.quoted(images[1])) names no registry",
                fix: "HOST/\(images[1])", ExitStatus.usage)
        }
        guard all else { return .image(source, to: target) }
        guard source.reference == nil, target.reference == nil else {
            throw TransferOptions.failure(
                "with --all-tags a name has no tag of its own", fix: "leave the tag out",
                ExitStatus.usage)
        }
        return .allTags(source, to: target)
    }

    private static func reference(_ text: String) throws -> ImageReference {
        guard let reference = ImageReference(parsing: text) else {
            throw TransferOptions.failure(
                "\"\(Spelling.quoted(text))\" is no image",
                fix: "registry.example.org/team/app:1.4", ExitStatus.usage)
        }
        return reference
    }

    /// One image a line; what follows a `#` and empty lines mean nothing.
    private static func references(_ path: String) throws -> [ImageReference] {
        let bytes: [UInt8]
        do throws(Errno) {
            let file = try System.open(path, O_RDONLY)
            bytes = try System.readAll(file.raw, bytesMax: 64 << 20)
        } catch {
            throw TransferOptions.failure(
                "cannot read \(path): \(Errno.text(error.code))", fix: "another file", .failure)
        }
        var references: [ImageReference] = []
        let lines = String(decoding: bytes, as: UTF8.self)
            .split(whereSeparator: \.isNewline)
        for line in lines {
            let text = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace)
            guard let word = text.first else { continue }
            guard text.count == 1 else {
                throw TransferOptions.failure(
                    "\(path): \"\(Spelling.quoted(String(line)))\" is more than one image",
                    fix: "one a line", ExitStatus.usage)
            }
            references.append(try reference(String(word)))
        }
        return references
    }
}

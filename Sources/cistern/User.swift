import Access
import ArgumentParser
import Configuration

/// `cistern user`: who can log in with a password.
struct User: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Add, change, remove and list users.",
        discussion: """
            cistern user add alice -c /etc/cistern/config.toml     asks for the password twice
            cistern user add ci --password-stdin < FILE
            cistern user passwd alice --generate                   prints a new one
            cistern user rm alice
            cistern user ls

            Edits the file of auth.htpasswd; it counts with the daemon's next request.
            \(ExitStatus.help)
            """,
        subcommands: [Add.self, Passwd.self, Remove.self, List.self])

    /// Which file.
    struct File: ParsableArguments {
        @OptionGroup var options: ConfigurationOptions

        @Option(
            help: ArgumentHelp("The password file; else auth.htpasswd.", valueName: "file"))
        var file: String?

        func open() throws -> AccessFile {
            try AccessFile(file, options, "htpasswd", \.htpasswd)
        }
    }

    /// Where a new password comes from.
    struct NewPassword: ParsableArguments {
        @Flag(help: "Read the password from the first line of standard input.")
        var passwordStdin = false

        @Flag(help: "Make a password and print it.")
        var generate = false

        func validate() throws {
            guard !(passwordStdin && generate) else {
                throw ValidationError("--password-stdin and --generate exclude each other.")
            }
        }
    }

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Add a user.")

        @Argument(help: "The name.") var name: String
        @OptionGroup var password: NewPassword
        @OptionGroup var file: File

        func run() throws { try User.set(name, password, file, isNew: true) }
    }

    struct Passwd: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Change a user's password.")

        @Argument(help: "The name.") var name: String
        @OptionGroup var password: NewPassword
        @OptionGroup var file: File

        func run() throws { try User.set(name, password, file, isNew: false) }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rm", abstract: "Remove a user.")

        @Argument(help: "The name.") var name: String
        @OptionGroup var file: File

        func run() throws {
            try file.open().edit { bytes in
                guard PasswordFile.parse(bytes).file.hashes[name] != nil else {
                    throw User.unknown(name)
                }
                return PasswordFile.edited(bytes, name, nil)
            }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ls", abstract: "Print the names of all users.")

        @OptionGroup var file: File

        func run() throws {
            let parsed = PasswordFile.parse(try file.open().read())
            for name in parsed.file.names { StandardStreams.writeOutput("\(name)\n") }
        }
    }

    private static func set(
        _ name: String, _ source: NewPassword, _ file: File, isNew: Bool
    ) throws {
        guard PasswordFile.name(Array(name.utf8)) != nil, !name.hasPrefix("#") else {
            throw AccessFile.failure(
                "a name has 1 to 128 visible ASCII characters and no colon",
                fix: "another name", ExitStatus.usage)
        }
        let target = try file.open()
        let isThere = { (bytes: [UInt8]) in PasswordFile.parse(bytes).file.hashes[name] != nil }
        func check(_ bytes: [UInt8]) throws {
            if isNew, isThere(bytes) {
                throw AccessFile.failure(
                    "there is a user \(name)", fix: "cistern user passwd \(name)", .failure)
            }
            if !isNew, !isThere(bytes) { throw unknown(name) }
        }
        // Before anybody types anything.
        try check(try target.read())
        let password =
            source.generate
            ? Array(GeneratedPassword.make().utf8)
            : try PasswordInput.read(fromStandardInput: source.passwordStdin)
        guard let hash = PasswordHash.make(password) else {
            throw AccessFile.failure("libcrypt makes no hash", fix: "look at its log", .failure)
        }
        try target.edit { bytes in
            try check(bytes)
            return PasswordFile.edited(bytes, name, hash)
        }
        if source.generate {
            StandardStreams.writeOutput("\(String(decoding: password, as: UTF8.self))\n")
        }
    }

    private static func unknown(_ name: String) -> ExitCode {
        AccessFile.failure(
            "there is no user \"\(Spelling.quoted(name))\"", fix: "cistern user ls", .failure)
    }
}

/// 20 characters that are hard to mistake for one another: 98 bits.
enum GeneratedPassword {
    private static let characters = Array("abcdefghijkmnpqrstuvwxyz23456789")

    static func make() -> String {
        var generator = SystemRandomNumberGenerator()
        return String(
            (0..<20).compactMap { _ in characters.randomElement(using: &generator) })
    }
}

import ArgumentParser

/// The exit codes, so that a service manager can tell what a restart would help.
enum ExitStatus {
    /// Finished, but not with everything: the report says with what not.
    static let someFailed = ExitCode(3)
    /// The arguments are wrong (EX_USAGE).
    static let usage = ExitCode(64)
    /// The daemon or an address it needs cannot be had (EX_UNAVAILABLE).
    static let unavailable = ExitCode(69)
    /// Not allowed: as root without `--allow-root` (EX_NOPERM).
    static let notAllowed = ExitCode(77)
    /// The configuration is wrong (EX_CONFIG).
    static let configuration = ExitCode(78)
    /// Ended by a signal, in order.
    static let interrupted = ExitCode(130)

    static let help = """
        exit codes: 0 done, 1 failed, 64 usage, 69 not available,
        77 not allowed, 78 configuration wrong
        """

    static let transferHelp = """
        exit codes: 0 done, 1 failed, 3 some images failed, 64 usage, 69 not available,
        77 not allowed, 130 interrupted
        """
}

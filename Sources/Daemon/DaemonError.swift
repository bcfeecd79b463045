/// Why the daemon cannot start, with the exit code that tells systemd what kind of reason it is.
struct DaemonError: Error {
    /// sysexits.h, as user-experience.md lists them.
    enum Code: Int32 {
        case unavailable = 69
        case tryLater = 75
        case configuration = 78
    }

    let code: Code
    let message: String
    var fix: String?

    init(_ code: Code, _ message: String, fix: String? = nil) {
        self.code = code
        self.message = message
        self.fix = fix
    }

    /// One `error:` line and what to do about it.
    var text: String {
        var text = "error: \(message)\n"
        if let fix { text += "  fix: \(fix)\n" }
        return text
    }
}

import Glibc

/// What the defaults depend on besides the environment; given, so that tests can say what it is.
package struct Host: Sendable {
    /// Whether the process runs as root.
    package var isRoot: Bool
    /// How many cores the process may use, at least 1.
    package var cores: Int
    /// What relative paths of the command line are relative to.
    package var currentDirectory: String

    package init(isRoot: Bool, cores: Int, currentDirectory: String) {
        self.isRoot = isRoot
        self.cores = cores
        self.currentDirectory = currentDirectory
    }

    /// This process.
    package static var current: Host {
        Host(
            isRoot: geteuid() == 0, cores: max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))),
            currentDirectory: workingDirectory())
    }

    /// The process's environment; of a name that is there twice the first counts.
    package static var environment: [String: String] {
        var variables: [String: String] = [:]
        var next = environ
        while let entry = next.pointee {
            let text = String(cString: entry)
            next += 1
            guard let equals = text.firstIndex(of: "=") else { continue }
            let name = String(text[..<equals])
            if variables[name] == nil {
                variables[name] = String(text[text.index(after: equals)...])
            }
        }
        return variables
    }

    private static func workingDirectory() -> String {
        guard let path = getcwd(nil, 0) else { return "/" }
        defer { free(path) }
        return String(cString: path)
    }
}

import Glibc

/// The variables by which a service manager speaks to a process at its start.
struct ServiceEnvironment {
    /// Returns a variable and removes it.
    let take: (String) -> String?

    /// The process's own environment; only before there are threads.
    static var process: ServiceEnvironment {
        ServiceEnvironment { name in
            guard let value = getenv(name) else { return nil }
            defer { unsetenv(name) }
            return String(cString: value)
        }
    }
}

import CLinux
import Glibc

/// What is set once for the whole process before anything else runs.
enum ProcessSetup {
    static func run() {
        // sendfile has no flag against SIGPIPE (SWIFT-3).
        signal(SIGPIPE, SIG_IGN)
        // No secret ends in a core dump, nobody attaches (LOC-3).
        _ = clinux_set_dumpable(0)
        var none = rlimit()
        setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
        // Whatever is created is the service's own (LOC-1).
        umask(0o077)
        raiseDescriptorLimit()
    }

    /// Uses what the hard limit allows: each client takes one or two descriptors.
    private static func raiseDescriptorLimit() {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(resource, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
        limit.rlim_cur = min(limit.rlim_max, 1 << 20)
        setrlimit(resource, &limit)
    }
}

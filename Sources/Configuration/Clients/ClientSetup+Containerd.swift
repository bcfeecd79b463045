import Linux

extension ClientSetup {
    /// One `hosts.toml` per registry, each under a comment with its path.
    ///
    /// Only `pull` and `resolve` are named as capabilities: releases before 2.2 silently drop the
    /// whole file for a word they do not know.
    package func containerd() throws(Failure) -> String {
        var files: [String] = []
        for target in targets { files.append(try hostsFile(target)) }
        return files.joined(separator: "\n")
    }

    private func hostsFile(_ target: Target) throws(Failure) -> String {
        let cache = try containerdAddress(target)
        let directory =
            target.registry.contains(":")
            ? target.registry.split(separator: ":").joined(separator: "_") + "_" : target.registry
        let last = fallsBack ? RegistryAlias.usualUpstream(of: target.registry) : cache
        let comment =
            fallsBack
            ? "asked when the cache does not answer" : "the cache too: nothing else is ever asked"
        return """
            # /etc/containerd/certs.d/\(directory)/hosts.toml
            server = "\(last)"  # \(comment)

            [host."\(cache)"]
              capabilities = ["pull", "resolve"]
              dial_timeout = "\(dialTimeout)"

            """
    }

    /// containerd sends `?ns=`; else the prefix stands before `/v2`; else it is the root.
    private func containerdAddress(_ target: Target) throws(Failure) -> String {
        if listener.route.contains(.ns) || isAtRoot(target) { return server.description }
        if let prefix = prefix(target) { return "\(server)/\(prefix)" }
        throw .unreachable(
            registry: target.registry, why: "the listener routes neither by ns nor by path")
    }

    /// A dead cache must cost next to nothing; containerd would wait 30 s.
    private var dialTimeout: String {
        let isLocal =
            server.host == "localhost"
            || IPAddress(parsing: server.host.filter { $0 != "[" && $0 != "]" })?.isLoopback == true
        return isLocal ? "200ms" : "1s"
    }
}

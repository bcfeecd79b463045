extension ClientSetup {
    /// A drop-in for podman, skopeo, buildah and CRI-O under a comment with its path.
    package func podman() throws(Failure) -> String {
        var tables: [String] = []
        for target in targets { tables.append(try registryTable(target)) }
        return "# /etc/containers/registries.conf.d/50-cistern.conf\n"
            + tables.joined(separator: "\n")
    }

    private func registryTable(_ target: Target) throws(Failure) -> String {
        let location = try podmanLocation(target)
        let insecure = server.scheme == .http ? "\ninsecure = true" : ""
        guard fallsBack else {
            return """
                [[registry]]
                prefix = "\(target.registry)"
                location = "\(location)"\(insecure)

                """
        }
        return """
            [[registry]]
            prefix = "\(target.registry)"
            location = "\(target.registry)"

            [[registry.mirror]]
            location = "\(location)"\(insecure)

            """
    }

    /// These clients send no `ns`: the prefix becomes the first part of the image's name.
    private func podmanLocation(_ target: Target) throws(Failure) -> String {
        let authority =
            server.description.split(separator: "/", maxSplits: 1)
            .last.map { $0.drop { $0 == "/" } } ?? ""
        if let prefix = prefix(target) { return "\(authority)/\(prefix)" }
        if isAtRoot(target) { return String(authority) }
        throw .unreachable(registry: target.registry, why: "the listener does not route by path")
    }
}

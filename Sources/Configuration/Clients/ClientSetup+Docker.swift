extension ClientSetup {
    /// Docker's `daemon.json`, and what is to be said about it.
    package struct DockerText: Sendable, Equatable {
        /// The file's contents.
        package var json: String
        /// Lines for people, not for the file: JSON has no comments.
        package var notes: [String]
    }

    /// The mirror setting of the Docker Engine, which serves docker.io and nothing else.
    package func docker() throws(Failure) -> DockerText {
        guard let hub = targets.first(where: { $0.registry == "docker.io" }) else {
            throw .unreachable(
                registry: targets.map(\.registry).joined(separator: ", "),
                why: "Docker's registry-mirrors serve docker.io only;"
                    + " pull by the cache's own name instead")
        }
        let json = """
            {
              "registry-mirrors": ["\(try dockerMirror(hub))"]
            }

            """
        return DockerText(json: json, notes: notes())
    }

    private func dockerMirror(_ hub: Target) throws(Failure) -> String {
        if isAtRoot(hub) { return server.description }
        if let prefix = prefix(hub) { return "\(server)/\(prefix)" }
        throw .unreachable(
            registry: "docker.io", why: "the listener's repository does not lead there")
    }

    private func notes() -> [String] {
        var notes = ["put this into /etc/docker/daemon.json and restart Docker"]
        if !fallsBack {
            notes.append("Docker always goes on to Docker Hub when the mirror fails")
        }
        let others = targets.filter { $0.registry != "docker.io" }
        if let other = others.first, let prefix = prefix(other) {
            let authority = server.description.drop { $0 != ":" }.dropFirst(3)
            notes.append(
                "registry-mirrors serve docker.io only; others by name:"
                    + " docker pull \(authority)/\(prefix)/NAME")
            notes.append(
                "with the containerd image store, all of them: the files of"
                    + " `cistern hosts containerd`, below /etc/docker/certs.d")
        }
        return notes
    }
}

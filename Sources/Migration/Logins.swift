import Glibc
import HTTP
import Linux
import OCI
package import Upstream

/// The logins of a command, from files alone: a password has no place among the arguments, where
/// everybody on the machine reads it.
package enum Logins {
    private static let bytesMax = 1 << 20

    /// A login for `address`: of `file`, whose first line is `user:password`; else that of the
    /// files that docker, podman and skopeo log in to; nil if there is none.
    package static func find(
        for address: RegistryAddress, file: String?, authFile: String?
    ) throws(CopyFailure) -> UpstreamSettings.Credentials? {
        if let file { return try ownFile(file) }
        if let authFile { return try entry(for: address, in: read(authFile), authFile) }
        for path in usualFiles() {
            guard let bytes = try? read(path) else { continue }
            if let found = try entry(for: address, in: bytes, path) { return found }
        }
        return nil
    }

    /// Where the clients of registries keep their logins, first of all where they are told to.
    private static func usualFiles() -> [String] {
        var files: [String] = []
        if let path = variable("REGISTRY_AUTH_FILE") { files.append(path) }
        if let folder = variable("DOCKER_CONFIG") { files.append("\(folder)/config.json") }
        if let folder = variable("XDG_RUNTIME_DIR") {
            files.append("\(folder)/containers/auth.json")
        }
        if let home = variable("HOME") {
            files.append("\(home)/.config/containers/auth.json")
            files.append("\(home)/.docker/config.json")
        }
        return files
    }

    static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }

    private static func read(_ path: String) throws(CopyFailure) -> [UInt8] {
        do throws(Errno) {
            let file = try System.open(path, O_RDONLY)
            return try System.readAll(file.raw, bytesMax: bytesMax)
        } catch {
            throw CopyFailure(
                .source, "",
                .local(
                    "cannot read \(path): \(Errno.text(error.code))",
                    fix: "a file that you may read, with the line user:password"))
        }
    }

    private static func ownFile(
        _ path: String
    ) throws(CopyFailure) -> UpstreamSettings.Credentials {
        let line = try read(path).prefix { $0 != 10 && $0 != 13 }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex,
            line.allSatisfy({ $0 >= 0x20 && $0 != 0x7f })
        else {
            throw CopyFailure(
                .source, "",
                .local(
                    "the first line of \(path) is no login", fix: "the line user:password"))
        }
        return UpstreamSettings.Credentials(
            username: Array(line[..<colon]), password: Array(line[(colon + 1)...]))
    }

    /// The login of `{"auths":{HOST:{"auth":BASE64}}}`, by the host with its port, with or without
    /// a scheme and a path behind it.
    static func entry(
        for address: RegistryAddress, in bytes: [UInt8], _ path: String
    ) throws(CopyFailure) -> UpstreamSettings.Credentials? {
        guard let document = try? JSONValue.parse(bytes) else {
            throw CopyFailure(
                .source, "", .local("\(path) is no JSON", fix: "docker login makes it anew"))
        }
        let names = wanted(address)
        for name in names {
            let entry = document["auths"]?.object?.first { key($0.key) == name }?.value
            guard let text = entry?["auth"]?.string,
                case .login(let login) = BasicAuthorization.read(["Basic \(text)"])
            else { continue }
            return UpstreamSettings.Credentials(
                username: login.username, password: login.password)
        }
        let helpers = (document["credHelpers"]?.object ?? []).map { key($0.key) }
        if document["credsStore"] != nil || names.contains(where: { helpers.contains($0) }) {
            let listed = (document["auths"]?.object ?? []).map { key($0.key) }
            if names.contains(where: { listed.contains($0) || helpers.contains($0) }) {
                throw CopyFailure(
                    .source, "",
                    .local(
                        "the login for \(address.host) is with a helper, not in \(path)",
                        fix: "--src-login or --dest-login FILE with the line user:password"))
            }
        }
        return nil
    }

    /// From the most to the least exact, as podman looks them up.
    private static func wanted(_ address: RegistryAddress) -> [String] {
        var names: [String] = []
        var parts = address.prefix.split(separator: "/")
        while !parts.isEmpty {
            names.append("\(address.host)/\(parts.joined(separator: "/"))")
            parts.removeLast()
        }
        names.append(address.host)
        if address.isDockerHub { names += ["index.docker.io", "registry-1.docker.io"] }
        return names
    }

    /// A key without its scheme, and without what old clients of Docker Hub put behind it.
    private static func key(_ text: String) -> String {
        var rest = Substring(text)
        for scheme in ["https://", "http://"] where rest.hasPrefix(scheme) {
            rest = rest.dropFirst(scheme.count)
        }
        for end in ["/", "/v1", "/v2"] where rest.hasSuffix(end) {
            rest = rest.dropLast(end.count)
        }
        return String(rest)
    }
}

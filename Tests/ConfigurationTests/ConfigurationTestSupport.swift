import Testing

@testable import Configuration

extension Host {
    /// An ordinary user on a machine of eight cores.
    static let user = Host(isRoot: false, cores: 8, currentDirectory: "/work")
}

/// Where the store of `Host.user` is unless a test says otherwise.
let home = ["HOME": "/home/ann"]

/// The configuration of a text that must be right.
func accept(
    _ text: String, environment: [String: String] = home,
    flags: ConfigurationSource.Flags = .init(),
    sourceLocation: Testing.SourceLocation = #_sourceLocation
) throws -> Configuration {
    switch Configuration.parse(text, environment: environment, flags: flags, host: .user) {
    case .success(let configuration): return configuration
    case .failure(let errors):
        Issue.record("\(errors)", sourceLocation: sourceLocation)
        throw errors
    }
}

/// The errors of a text that must be wrong.
func refuse(
    _ text: String, environment: [String: String] = home,
    flags: ConfigurationSource.Flags = .init(),
    sourceLocation: Testing.SourceLocation = #_sourceLocation
) throws -> ConfigurationErrors {
    let result = Configuration.parse(
        text, name: "c.toml", environment: environment, flags: flags, host: .user)
    guard case .failure(let errors) = result else {
        Issue.record("it was taken", sourceLocation: sourceLocation)
        throw ConfigurationErrors(diagnostics: [])
    }
    return errors
}

/// Kinds and places of errors, one a line.
func places(_ errors: ConfigurationErrors) -> [String] {
    errors.diagnostics.map { diagnostic in
        let place = diagnostic.location.map { $0.line > 0 ? "\($0.line):\($0.column)" : $0.source }
        return "\(diagnostic.code) \(place ?? "-")"
    }
}

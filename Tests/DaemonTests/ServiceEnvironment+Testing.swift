@testable import Daemon

extension ServiceEnvironment {
    /// Variables of a test's own; `taken` learns which were removed.
    static func variables(
        _ variables: [String: String], taken: @escaping (String) -> Void = { _ in }
    ) -> ServiceEnvironment {
        ServiceEnvironment { name in
            taken(name)
            return variables[name]
        }
    }
}

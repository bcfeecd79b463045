/// Refuses to hand out what a login opens to whoever asks, unless somebody wrote so (AUTH-8).
struct ExposureCheck {
    let configuration: Configuration
    /// Where each proxy's password is set.
    let places: [String: Place]

    func note(_ problems: inout Problems) {
        for listener in configuration.listeners where listener.address.isLoopback == false {
            for name in configuration.unsharedRepositories(reachableFrom: listener) {
                problems.error(
                    "exposed",
                    "`\(name)` has a login, and \(listener.address) is open to other machines",
                    at: places[name],
                    help: "share_private = true lets anyone pull what the login opens;"
                        + " else listen on 127.0.0.1")
            }
        }
    }
}

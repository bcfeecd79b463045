import HTTP

extension Route {
    /// Whether such a request is about changing something, and not a pull.
    func changes(_ method: Method) -> Bool {
        if case .upload = resource { return true }
        return method != .get && method != .head
    }
}

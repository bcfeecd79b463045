package import Access
package import HTTP

extension Route {
    /// What a request wants to do; nil for methods that the distribution API does not have.
    ///
    /// Ending an upload undoes a push of one's own, so it takes no more than that.
    package func action(_ method: Method) -> Action? {
        switch method {
        case .get, .head: return .pull
        case .put, .post, .patch: return .push
        case .delete:
            if case .upload = resource { return .push }
            return .delete
        case .options, .other: return nil
        }
    }
}

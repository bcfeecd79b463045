package import Access
package import HTTP

extension Route {
    /// What a request wants to do; nil for methods that the distribution API does not have.
    ///
    /// Whatever is done to an upload is part of a push: looking at it, and ending it, too.
    package func action(_ method: Method) -> Action? {
        let isOfUpload = if case .upload = resource { true } else { false }
        switch method {
        case .get, .head: return isOfUpload ? .push : .pull
        case .put, .post, .patch: return .push
        case .delete: return isOfUpload ? .push : .delete
        case .options, .other: return nil
        }
    }
}

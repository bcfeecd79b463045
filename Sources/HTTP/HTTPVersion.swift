/// The versions spoken to clients (HTTP-10).
package enum HTTPVersion: Sendable {
    case http10
    case http11
}

/// Which of the two registries is meant.
package enum Side: String, Sendable {
    case source
    case destination
}

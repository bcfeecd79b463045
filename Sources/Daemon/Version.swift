/// What this build calls itself.
package enum Version {
    package static let number = "0.1.0"
    static let swift = "6.3"
}

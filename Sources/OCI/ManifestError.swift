/// Why bytes are no manifest that Cistern binds, keeps or serves (INT-6, INT-8).
package enum ManifestError: Error, Equatable, Sendable, CustomStringConvertible {
    case empty
    /// Longer than `Manifest.bytesMax`.
    case tooLarge
    /// Nested deeper, or of more values, than the reader takes.
    case tooComplex
    /// Not a JSON object: a login page, a captive portal, an image.
    case notJSON
    /// JSON that no client would read as a manifest or an index.
    case notManifest
    /// Docker's schema 1, whose digest is not the hash of its bytes.
    case schema1
    /// One document with two readings: `manifests` beside `layers` or `config`, a key twice.
    case ambiguous(String)
    /// `mediaType` and Content-Type disagree, or the type disagrees with the content.
    case mediaTypeMismatch(expected: String, found: String)
    /// A part that has to be a digest, a size, a list… and is not.
    case invalid(String)

    package var description: String {
        switch self {
        case .empty: "the manifest is empty"
        case .tooLarge: "the manifest is larger than \(Manifest.bytesMax) bytes"
        case .tooComplex: "the manifest is nested too deeply or has too many values"
        case .notJSON: "not a JSON document"
        case .notManifest: "JSON, but not a manifest"
        case .schema1: "manifests of Docker's schema 1 are not supported"
        case .ambiguous(let what): "the manifest can be read in two ways: \(what)"
        case .mediaTypeMismatch(let expected, let found):
            "the manifest's type is \(found) where \(expected) was announced"
        case .invalid(let what): "the manifest's \(what) is not valid"
        }
    }
}

/// Turns a JSON document into a `Manifest`, refusing whatever two clients could read differently.
///
/// One digest with two readings was CVE-2021-41190: a document with `manifests` and `layers` is an
/// index to one client and an image to another, by nothing but its Content-Type.
struct ManifestReader {
    private let document: JSONValue
    /// The announced type without parameters, `nil` if there was none.
    private let announced: String?

    /// Every top-level key that a client gives a meaning.
    private static let knownKeys: Set<String> = [
        "schemaVersion", "mediaType", "artifactType", "config", "layers", "manifests", "blobs",
        "subject", "annotations", "fsLayers",
    ]
    private static let foldedKeys = Set(knownKeys.map(folded))
    /// The longest a key can be that folds to a known one: its letters take three bytes at most.
    private static let lookalikeBytesMax = 3 * 13

    /// Types that say nothing, as a plain file server sends them.
    private static let genericTypes: Set<String> = [
        MediaType.json, MediaType.octetStream, "text/plain", "text/html", "text/json",
        "binary/octet-stream",
    ]

    init(_ document: JSONValue, contentType: String?) {
        self.document = document
        let stripped = contentType.map { MediaType.stripped($0) } ?? ""
        self.announced = stripped.isEmpty ? nil : stripped
    }

    func manifest() throws(ManifestError) -> Manifest {
        guard let members = document.object else { throw .notJSON }
        try refuseLookalikes(members)
        let ownType = try text("mediaType").map { MediaType.stripped($0) }
        try refuseSchema1(ownType: ownType)
        let shape = try shape()
        let mediaType = try mediaType(ownType: ownType, shape: shape)
        let kind = try kind(of: mediaType, shape: shape)
        let config = try descriptor(document["config"], "config")
        return Manifest(
            mediaType: mediaType,
            kind: kind,
            children: try children(kind, config: config),
            subject: try subject(),
            artifactType: try text("artifactType"),
            configMediaType: kind == .image ? config?.mediaType : nil,
            annotations: Self.annotations(document))
    }

    /// Go's JSON reader, which most clients use, matches keys in any case: `Manifests` would be an
    /// index to it and nothing at all to others.
    private func refuseLookalikes(_ members: [JSONMember]) throws(ManifestError) {
        for member in members
        where member.key.utf8.count <= Self.lookalikeBytesMax
            && Self.foldedKeys.contains(Self.folded(member.key))
            && !Self.knownKeys.contains(member.key)
        {
            throw .ambiguous("a key differs from a known one only by case")
        }
    }

    /// Simple case folding as far as Go's reader does it: ASCII, and the two letters that fold into
    /// it.
    private static func folded(_ key: String) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(key.utf8.count)
        for scalar in key.unicodeScalars {
            switch scalar {
            case "\u{17f}": bytes.append(UInt8(ascii: "s"))
            case "\u{212a}": bytes.append(UInt8(ascii: "k"))
            case "A"..."Z": bytes.append(UInt8(truncatingIfNeeded: scalar.value) | 0x20)
            default: if let encoded = UTF8.encode(scalar) { bytes.append(contentsOf: encoded) }
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func refuseSchema1(ownType: String?) throws(ManifestError) {
        let schema1 = [MediaType.dockerSchema1, MediaType.dockerSchema1Signed]
        for type in [ownType, announced] {
            if let type, schema1.contains(type) { throw .schema1 }
        }
        if document["fsLayers"] != nil { throw .schema1 }
        guard let version = document["schemaVersion"] else { return }
        if version.integer == 1 { throw .schema1 }
        guard version.integer == 2 else { throw .invalid("schemaVersion") }
    }

    /// What the document is by its content, `nil` if that does not say.
    private func shape() throws(ManifestError) -> Manifest.Kind? {
        let isIndex = document["manifests"] != nil
        let isImage = document["layers"] != nil || document["config"] != nil
        let isArtifact = document["blobs"] != nil
        guard [isIndex, isImage, isArtifact].count(where: { $0 }) <= 1 else {
            throw .ambiguous("it lists both manifests and layers")
        }
        if isIndex { return .index }
        if isImage { return .image }
        return isArtifact ? .artifact : nil
    }

    private func mediaType(
        ownType: String?, shape: Manifest.Kind?
    ) throws(ManifestError) -> String {
        if let ownType, !ownType.isEmpty {
            guard MediaType.isValid(ownType) else { throw .invalid("mediaType") }
            if let announced, announced != ownType {
                throw .mediaTypeMismatch(expected: announced, found: ownType)
            }
            return ownType
        }
        if let announced, !Self.genericTypes.contains(announced) {
            guard MediaType.isValid(announced) else { throw .invalid("Content-Type") }
            return announced
        }
        // OCI documents need no `mediaType`; their content tells which they are.
        switch shape {
        case .index: return MediaType.ociIndex
        case .image: return MediaType.ociManifest
        case .artifact, .other, nil: throw .notManifest
        }
    }

    private func kind(
        of mediaType: String, shape: Manifest.Kind?
    ) throws(ManifestError) -> Manifest.Kind {
        let expected: Manifest.Kind
        switch mediaType {
        case MediaType.ociIndex, MediaType.dockerList: expected = .index
        case MediaType.ociManifest, MediaType.dockerManifest: expected = .image
        case MediaType.ociArtifact: expected = .artifact
        default:
            if let shape { return shape }
            // Unknown in type and content: a manifest only if it says of itself that it is one.
            guard document["schemaVersion"] != nil, document["mediaType"] != nil else {
                throw .notManifest
            }
            return .other
        }
        if let shape, shape != expected {
            throw .ambiguous("its content does not fit its type \(mediaType)")
        }
        // An empty index may say `"manifests":null`; an image says what it is made of.
        guard
            shape != nil || expected == .artifact
                || (expected == .index && document["schemaVersion"] != nil)
        else { throw .notManifest }
        return expected
    }

    private func subject() throws(ManifestError) -> Digest? {
        try descriptor(document["subject"], "subject")?.digest
    }

    private func text(_ key: String) throws(ManifestError) -> String? {
        guard let value = document[key] else { return nil }
        guard let text = value.string else { throw .invalid(key) }
        return text
    }
}

// MARK: - Descriptors

extension ManifestReader {
    private func children(
        _ kind: Manifest.Kind, config: Descriptor?
    ) throws(ManifestError) -> [Descriptor] {
        var children = config.map { [$0] } ?? []
        let key: String
        switch kind {
        case .index: key = "manifests"
        case .image: key = "layers"
        case .artifact: key = "blobs"
        case .other: return []
        }
        children += try descriptors(key)
        var sizes: [Digest: Int64] = [:]
        var unique: [Descriptor] = []
        for child in children {
            if let size = sizes.updateValue(child.size, forKey: child.digest) {
                // INT-11: one content cannot have two sizes.
                guard size == child.size else { throw .invalid("sizes of \(child.digest)") }
            } else {
                unique.append(child)
            }
        }
        return unique
    }

    /// The descriptors under a key, in their order, as often as they are there.
    func descriptors(_ key: String) throws(ManifestError) -> [Descriptor] {
        guard let value = document[key] else { return [] }
        guard let elements = value.array else { throw .invalid(key) }
        var found: [Descriptor] = []
        for element in elements {
            if let descriptor = try descriptor(element, key) { found.append(descriptor) }
        }
        return found
    }

    /// Reads one descriptor; `nil` if there is none, or if its digest is of an algorithm that
    /// Cistern does not know and so could neither verify nor serve.
    private func descriptor(
        _ value: JSONValue?, _ place: String
    ) throws(ManifestError) -> Descriptor? {
        guard let value else { return nil }
        guard value.object != nil else { throw .invalid(place) }
        guard let text = value["digest"]?.string else { throw .invalid("\(place) digest") }
        guard let digest = Digest(parsing: text) else {
            guard Self.isOfUnknownAlgorithm(text) else { throw .invalid("\(place) digest") }
            return nil
        }
        guard let size = value["size"]?.integer, size >= 0 else {
            throw .invalid("\(place) size")
        }
        return Descriptor(
            mediaType: value["mediaType"]?.string ?? MediaType.octetStream,
            digest: digest,
            size: size,
            artifactType: value["artifactType"]?.string,
            annotations: Self.annotations(value),
            hasURLs: value["urls"]?.array.map { !$0.isEmpty } ?? false,
            platform: Self.platform(value["platform"]))
    }

    /// The generic digest grammar of image-spec, "Digests", for algorithms other than the
    /// registered two.
    private static func isOfUnknownAlgorithm(_ text: String) -> Bool {
        guard text.utf8.count <= 512 else { return false }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let name = parts.first, let encoded = parts.last,
            Digest.Algorithm(name: name) == nil, !name.isEmpty, !encoded.isEmpty
        else { return false }
        return name.allSatisfy {
            $0.isASCII && ($0.isLowercase || $0.isNumber || "+._-".contains($0))
        }
            && encoded.allSatisfy {
                $0.isASCII && ($0.isLetter || $0.isNumber || "=_-".contains($0))
            }
    }

    private static func annotations(_ value: JSONValue) -> [String: String] {
        var found: [String: String] = [:]
        for member in value["annotations"]?.object ?? [] {
            if let text = member.value.string { found[member.key] = text }
        }
        return found
    }

    private static func platform(_ value: JSONValue?) -> String? {
        guard let os = value?["os"]?.string,
            let architecture = value?["architecture"]?.string
        else { return nil }
        guard let variant = value?["variant"]?.string, !variant.isEmpty else {
            return "\(os)/\(architecture)"
        }
        return "\(os)/\(architecture)/\(variant)"
    }
}

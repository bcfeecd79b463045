package import OCI

/// One line of the names journal: sixteen digits of checksum, then fields with tabs between them.
enum NamesEntry: Equatable, Sendable {
    /// A repository may show these digests under a name.
    case link(repository: String, name: String, [Digest])
    /// A digest is a manifest of this media type.
    case manifest(Digest, mediaType: String)
    /// A tag points to a digest, confirmed at so many seconds since 1970.
    case tag(repository: String, name: String, tag: String, Digest, checkedAt: Int64)
    /// A tag is no more.
    case untag(repository: String, name: String, tag: String)
    /// A repository shows a digest under a name no more.
    case unlink(repository: String, name: String, Digest)
    /// An operator keeps an image.
    case pin(PinRow)
    /// An operator keeps it no more.
    case unpin(repository: String, name: String, reference: String)
    /// All that was said of a digest is void.
    case forget(Digest)

    static let lineBytesMax = 256 << 10
    private static let separator = UInt8(ascii: "\t")

    /// Nil if the line is damaged.
    init?(parsing line: [UInt8]) {
        guard line.count > 17, line[16] == Self.separator else { return nil }
        let text = line[17...]
        let sum = String(decoding: line[..<16], as: UTF8.self)
        guard UInt64(sum, radix: 16) == Self.checksum(text) else { return nil }
        self.init(
            fields: String(decoding: text, as: UTF8.self)
                .split(separator: "\t", omittingEmptySubsequences: false).map(String.init))
    }

    private init?(fields: [String]) {
        switch (fields.first, fields.count) {
        case ("L", 4...):
            let digests = fields[3...].compactMap { Digest(parsing: $0) }
            self = .link(repository: fields[1], name: fields[2], digests)
        case ("M", 3):
            guard let digest = Digest(parsing: fields[1]) else { return nil }
            self = .manifest(digest, mediaType: fields[2])
        case ("T", 6):
            guard let digest = Digest(parsing: fields[4]), let time = Int64(fields[5])
            else { return nil }
            self = .tag(
                repository: fields[1], name: fields[2], tag: fields[3], digest, checkedAt: time)
        case ("U", 4): self = .untag(repository: fields[1], name: fields[2], tag: fields[3])
        case ("X", 4):
            guard let digest = Digest(parsing: fields[3]) else { return nil }
            self = .unlink(repository: fields[1], name: fields[2], digest)
        case ("P", 6):
            guard let until = Int64(fields[4]) else { return nil }
            self = .pin(
                PinRow(
                    repository: fields[1], name: fields[2], reference: fields[3], until: until,
                    note: fields[5]))
        case ("N", 4): self = .unpin(repository: fields[1], name: fields[2], reference: fields[3])
        case ("E", 2):
            guard let digest = Digest(parsing: fields[1]) else { return nil }
            self = .forget(digest)
        default: return nil
        }
    }

    /// Appends the line; nothing if a field holds what separates fields or lines.
    func write(to lines: inout [UInt8]) {
        let fields = self.fields
        let text = Array(fields.joined(separator: "\t").utf8)
        let tabs = text.count { $0 == Self.separator }
        guard tabs == fields.count - 1, !text.contains(UInt8(ascii: "\n")) else { return }
        let sum = String(Self.checksum(text[...]), radix: 16)
        lines += [UInt8](repeating: UInt8(ascii: "0"), count: 16 - sum.utf8.count)
        lines += sum.utf8
        lines.append(Self.separator)
        lines += text
        lines.append(UInt8(ascii: "\n"))
    }

    private var fields: [String] {
        switch self {
        case .link(let repository, let name, let digests):
            ["L", repository, name] + digests.map(\.description)
        case .manifest(let digest, let mediaType): ["M", digest.description, mediaType]
        case .tag(let repository, let name, let tag, let digest, let checkedAt):
            ["T", repository, name, tag, digest.description, String(checkedAt)]
        case .untag(let repository, let name, let tag): ["U", repository, name, tag]
        case .unlink(let repository, let name, let digest):
            ["X", repository, name, digest.description]
        case .pin(let pin):
            ["P", pin.repository, pin.name, pin.reference, String(pin.until), pin.note]
        case .unpin(let repository, let name, let reference): ["N", repository, name, reference]
        case .forget(let digest): ["E", digest.description]
        }
    }

    /// FNV-1a: against accidents, not against people.
    private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
}

/// What a names journal says in the end.
package struct RememberedNames: Sendable {
    struct Place: Hashable, Sendable {
        let repository: String
        let name: String
    }

    struct TagKey: Hashable, Sendable {
        let place: Place
        let tag: String
    }

    private(set) var links: [Digest: Set<Place>] = [:]
    /// The media types of manifests.
    private(set) var mediaTypes: [Digest: String] = [:]
    private(set) var tags: [TagKey: (digest: Digest, checkedAt: Int64)] = [:]
    /// Pins by what they were pinned as.
    private(set) var pins: [TagKey: PinRow] = [:]

    /// Digests of all manifests.
    package var manifests: [Digest] { mediaTypes.keys.sorted() }

    /// The type that a manifest was first seen with (INT-6); nil if none is known.
    package func mediaType(of digest: Digest) -> String? { mediaTypes[digest] }

    /// What it says of one digest.
    package func only(_ digest: Digest) -> RememberedNames {
        var names = RememberedNames()
        names.links[digest] = links[digest]
        names.tags = tags.filter { $0.value.digest == digest }
        return names
    }

    /// What is to be in the index.
    enum Row {
        case link(Digest, Place)
        case tag(TagKey, Digest, checkedAt: Int64)
        case pin(PinRow)
    }

    var rows: [Row] {
        // In the order of the table, whose pages are then written once.
        links.sorted { $0.key < $1.key }
            .flatMap { digest, places in places.map { Row.link(digest, $0) } }
            + tags.sorted { ($0.value.digest, $0.key.tag) < ($1.value.digest, $1.key.tag) }
            .map { Row.tag($0.key, $0.value.digest, checkedAt: $0.value.checkedAt) }
            + pins.values.map { Row.pin($0) }
    }

    mutating func take(_ entry: NamesEntry) {
        switch entry {
        case .link(let repository, let name, let digests):
            let place = Place(repository: repository, name: name)
            for digest in digests { links[digest, default: []].insert(place) }
        case .unlink(let repository, let name, let digest):
            links[digest]?.remove(Place(repository: repository, name: name))
        case .manifest(let digest, let mediaType): mediaTypes[digest] = mediaType
        case .tag(let repository, let name, let tag, let digest, let checkedAt):
            let place = Place(repository: repository, name: name)
            tags[TagKey(place: place, tag: tag)] = (digest, checkedAt)
        case .untag(let repository, let name, let tag):
            tags[TagKey(place: Place(repository: repository, name: name), tag: tag)] = nil
        case .pin(let pin):
            let place = Place(repository: pin.repository, name: pin.name)
            pins[TagKey(place: place, tag: pin.reference)] = pin
        case .unpin(let repository, let name, let reference):
            let place = Place(repository: repository, name: name)
            pins[TagKey(place: place, tag: reference)] = nil
        case .forget(let digest):
            links[digest] = nil
            mediaTypes[digest] = nil
        // Tags to it find no manifest and are of no use, but are few.
        }
    }
}

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
        guard line.count > Self.sumBytes + 1, line[Self.sumBytes] == Self.separator
        else { return nil }
        let text = line[(Self.sumBytes + 1)...]
        let sum = String(decoding: line[..<Self.sumBytes], as: UTF8.self)
        guard UInt64(sum, radix: 16) == text.withUnsafeBytes({ Self.checksum($0) })
        else { return nil }
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

    /// The lines of all `entries`.
    static func lines(_ entries: [NamesEntry]) -> [UInt8] {
        var lines: [UInt8] = []
        for entry in entries { entry.write(to: &lines) }
        return lines
    }

    /// Appends the line; nothing if a field holds what separates fields or lines.
    func write(to lines: inout [UInt8]) {
        let start = lines.count
        lines.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: Self.sumBytes))
        var count = 0
        eachField { field in
            lines.append(Self.separator)
            lines.append(contentsOf: field.utf8)
            count += 1
        }
        let sum = lines.withUnsafeBytes { bytes -> UInt64? in
            let text = UnsafeRawBufferPointer(rebasing: bytes[(start + Self.sumBytes + 1)...])
            let isWhole =
                text.count { $0 == Self.separator } == count - 1
                && !text.contains(UInt8(ascii: "\n"))
            return isWhole ? Self.checksum(text) : nil
        }
        guard var rest = sum else { return lines.removeSubrange(start...) }
        for place in (start..<start + Self.sumBytes).reversed() where rest > 0 {
            lines[place] = Self.digits[Int(rest & 15)]
            rest >>= 4
        }
        lines.append(UInt8(ascii: "\n"))
    }

    private static let sumBytes = 16
    private static let digits = Array("0123456789abcdef".utf8)

    private func eachField(_ take: (String) -> Void) {
        switch self {
        case .link(let repository, let name, let digests):
            for field in ["L", repository, name] { take(field) }
            for digest in digests { take(digest.description) }
        case .manifest(let digest, let mediaType):
            for field in ["M", digest.description, mediaType] { take(field) }
        case .tag(let repository, let name, let tag, let digest, let checkedAt):
            let ends = [digest.description, String(checkedAt)]
            for field in ["T", repository, name, tag] + ends { take(field) }
        case .untag(let repository, let name, let tag):
            for field in ["U", repository, name, tag] { take(field) }
        case .unlink(let repository, let name, let digest):
            for field in ["X", repository, name, digest.description] { take(field) }
        case .pin(let pin):
            let ends = [pin.reference, String(pin.until), pin.note]
            for field in ["P", pin.repository, pin.name] + ends { take(field) }
        case .unpin(let repository, let name, let reference):
            for field in ["N", repository, name, reference] { take(field) }
        case .forget(let digest):
            for field in ["E", digest.description] { take(field) }
        }
    }

    /// FNV-1a: against accidents, not against people.
    private static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
}

/// What a names journal says in the end.
package struct RememberedNames: Sendable {
    package struct Place: Hashable, Sendable {
        let repository: String
        let name: String
    }

    package struct TagKey: Hashable, Sendable {
        let place: Place
        let tag: String
    }

    private(set) var links: [Digest: Set<Place>] = [:]
    /// The media types of manifests.
    private(set) var mediaTypes: [Digest: String] = [:]
    private(set) var tags: [TagKey: (digest: Digest, checkedAt: Int64)] = [:]
    /// Pins by what they were pinned as.
    private(set) var pins: [TagKey: PinRow] = [:]

    /// Digests of all manifests, in their order; takes its time with many.
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
    package enum Row: Sendable {
        case link(Digest, Place)
        case tag(TagKey, Digest, checkedAt: Int64)
        case pin(PinRow)

        /// What the journal says of it.
        var entry: NamesEntry {
            switch self {
            case .link(let digest, let place):
                .link(repository: place.repository, name: place.name, [digest])
            case .tag(let key, let digest, let checkedAt):
                .tag(
                    repository: key.place.repository, name: key.place.name, tag: key.tag, digest,
                    checkedAt: checkedAt)
            case .pin(let pin): .pin(pin)
            }
        }
    }

    /// All of them, in the order of the table, whose pages are then written once; takes its time
    /// with many.
    package var rows: [Row] {
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

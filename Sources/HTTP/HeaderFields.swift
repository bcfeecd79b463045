/// An ordered list of header fields, of a request or of a response.
///
/// All bytes lie in one array and a field is four offsets into it: a parsed request keeps its head
/// as it came, and nothing becomes a `String` before somebody asks for it. What is appended goes
/// through one check, so no control byte ever reaches the wire (HTTP-8).
package struct HeaderFields: Sendable {
    /// Where a field lies in `storage`.
    struct Entry: Sendable {
        var nameStart: Int32
        var nameCount: Int32
        var valueStart: Int32
        var valueCount: Int32
    }

    /// The most bytes a list holds; what would not fit is refused, so offsets never overflow.
    package static let bytesMax = 1 << 20

    private(set) var storage: [UInt8]
    private(set) var entries: [Entry]

    package init() {
        storage = []
        entries = []
    }

    /// Takes a parsed head; every entry lies inside `storage`.
    init(storage: [UInt8], entries: [Entry]) {
        self.storage = storage
        self.entries = entries
    }

    package var count: Int { entries.count }
    package var isEmpty: Bool { entries.isEmpty }

    /// The value of the first field of that name, in any case; `nil` if there is none.
    package subscript(first name: String) -> String? {
        for entry in entries where matches(entry, name) { return value(of: entry) }
        return nil
    }

    /// The values of all fields of that name, in order.
    package func all(_ name: String) -> [String] {
        entries.filter { matches($0, name) }.map { value(of: $0) }
    }

    /// Whether there is a field of that name.
    package func contains(_ name: String) -> Bool {
        entries.contains { matches($0, name) }
    }

    /// Whether there is a field of one of these names.
    package func contains(anyOf names: [String]) -> Bool {
        entries.contains { entry in
            names.contains { Int(entry.nameCount) == $0.utf8.count && matches(entry, $0) }
        }
    }

    /// Adds a field; `false` and no field if the name is no token or the value has a control byte.
    @discardableResult
    package mutating func append(_ name: String, _ value: String) -> Bool {
        var name = name
        var value = value
        return name.withUTF8 { name in
            value.withUTF8 { value in append(name: name, value: value) }
        }
    }

    private mutating func append(
        name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>
    ) -> Bool {
        guard Bytes.isToken(Span(_unsafeElements: name)),
            !Bytes.hasControl(Span(_unsafeElements: value), from: 0, to: value.count),
            name.count <= Self.bytesMax, value.count <= Self.bytesMax,
            storage.count + name.count + value.count <= Self.bytesMax
        else { return false }
        if entries.isEmpty {
            // Room for a usual answer, so that building one allocates twice and not nine times.
            storage.reserveCapacity(512)
            entries.reserveCapacity(12)
        }
        let start = Int32(truncatingIfNeeded: storage.count)
        let nameCount = Int32(truncatingIfNeeded: name.count)
        storage.append(contentsOf: name)
        storage.append(contentsOf: value)
        entries.append(
            Entry(
                nameStart: start, nameCount: nameCount, valueStart: start + nameCount,
                valueCount: Int32(truncatingIfNeeded: value.count)))
        return true
    }

    /// Adds a field whose value is a number.
    package mutating func append(_ name: String, _ value: Int64) {
        append(name, String(value))
    }

    /// Puts a field in the place of all of that name; `false` and no change if it is refused.
    @discardableResult
    package mutating func set(_ name: String, _ value: String) -> Bool {
        let before = entries
        remove(name)
        guard append(name, value) else {
            entries = before
            return false
        }
        return true
    }

    /// Removes every field of that name.
    package mutating func remove(_ name: String) {
        entries = entries.filter { !matches($0, name) }
    }

    /// Appends the fields as lines that end in CRLF.
    package func write(to output: inout [UInt8]) {
        storage.withUnsafeBufferPointer { bytes in
            for entry in entries {
                output.append(contentsOf: Self.part(bytes, entry.nameStart, entry.nameCount))
                output.append(UInt8(ascii: ":"))
                output.append(UInt8(ascii: " "))
                output.append(contentsOf: Self.part(bytes, entry.valueStart, entry.valueCount))
                output.append(UInt8(ascii: "\r"))
                output.append(UInt8(ascii: "\n"))
            }
        }
    }

    private static func part(
        _ bytes: UnsafeBufferPointer<UInt8>, _ start: Int32, _ count: Int32
    ) -> UnsafeBufferPointer<UInt8> {
        // Slicing checks the bounds; rebasing makes it one copy.
        UnsafeBufferPointer(rebasing: bytes[Int(start)..<(Int(start) + Int(count))])
    }

    private func range(_ start: Int32, _ count: Int32) -> Range<Int> {
        Int(start)..<(Int(start) + Int(count))
    }

    fileprivate func text(_ start: Int32, _ count: Int32) -> String {
        String(decoding: storage[range(start, count)], as: UTF8.self)
    }

    fileprivate func value(of entry: Entry) -> String {
        text(entry.valueStart, entry.valueCount)
    }

    private func matches(_ entry: Entry, _ name: String) -> Bool {
        guard Int(entry.nameCount) == name.utf8.count else { return false }
        var index = Int(entry.nameStart)
        for byte in name.utf8 {
            guard Bytes.lowered(storage[index]) == Bytes.lowered(byte) else { return false }
            index += 1
        }
        return true
    }
}

extension HeaderFields: Sequence {
    /// The fields in order, names in the case they were written.
    package struct Iterator: IteratorProtocol {
        private let fields: HeaderFields
        private var index = 0

        init(_ fields: HeaderFields) {
            self.fields = fields
        }

        package mutating func next() -> (name: String, value: String)? {
            guard index < fields.entries.count else { return nil }
            let entry = fields.entries[index]
            index += 1
            return (fields.text(entry.nameStart, entry.nameCount), fields.value(of: entry))
        }
    }

    package func makeIterator() -> Iterator { Iterator(self) }
}

extension HeaderFields: ExpressibleByDictionaryLiteral {
    /// Fields in the order written; one that is refused is left out.
    package init(dictionaryLiteral elements: (String, String)...) {
        self.init()
        for (name, value) in elements { append(name, value) }
    }
}

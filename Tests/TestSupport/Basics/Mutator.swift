/// Spoils inputs a little, the same way for the same seed: what a fuzzer does, without one.
package struct Mutator {
    private var generator: SeededGenerator
    /// Bytes that parsers look for, so that spoiled inputs still reach them.
    private static let alphabet = Array("\r\n\0\t :;,=/.%-\"'<>@[]{}\\?&#+01fA\u{7f}\u{16}".utf8)

    package init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    /// One to five small changes: bytes replaced, removed, put in, repeated.
    package mutating func mutated(_ original: [UInt8]) -> [UInt8] {
        var bytes = original
        for _ in 0..<Int.random(in: 1...5, using: &generator) where !bytes.isEmpty {
            change(&bytes)
        }
        return bytes
    }

    /// The beginning of one input and the end of another.
    package mutating func crossed(_ first: [UInt8], _ second: [UInt8]) -> [UInt8] {
        let head = first.prefix(Int.random(in: 0...first.count, using: &generator))
        return head + second.suffix(Int.random(in: 0...second.count, using: &generator))
    }

    /// One of what there is, which is not nothing.
    package mutating func oneOf<Element>(_ elements: [Element]) -> Element {
        elements[Int.random(in: 0..<elements.count, using: &generator)]
    }

    private mutating func change(_ bytes: inout [UInt8]) {
        let index = Int.random(in: 0..<bytes.count, using: &generator)
        let byte = Self.alphabet.randomElement(using: &generator) ?? 0
        switch Int.random(in: 0..<7, using: &generator) {
        case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
        case 1: bytes.remove(at: index)
        case 2: bytes.insert(byte, at: index)
        case 3: bytes[index] = byte
        case 4: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 5:
            let end = min(bytes.count, index + Int.random(in: 1...40, using: &generator))
            bytes.insert(contentsOf: bytes[index..<end], at: index)
        default:
            bytes.removeSubrange(index..<min(bytes.count, index + 20))
        }
    }
}

/// As much of a 64-bit little-endian ELF file as tells which libraries it needs.
struct ELFFile {
    private let bytes: [UInt8]

    private static let dynamicSection = 6
    private static let neededTag = 1

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// The names of the shared libraries that the program is linked against.
    var neededLibraries: [String] {
        let sections = self.sections
        guard let dynamic = sections.first(where: { $0.type == ELFFile.dynamicSection }),
            dynamic.link < sections.count
        else { return [] }
        let strings = sections[dynamic.link].offset
        return stride(from: dynamic.offset, to: dynamic.offset + dynamic.size, by: 16)
            .filter { number(at: $0, bytes: 8) == ELFFile.neededTag }
            .map { string(at: strings + number(at: $0 + 8, bytes: 8)) }
    }

    private var sections: [(type: Int, offset: Int, size: Int, link: Int)] {
        let table = number(at: 0x28, bytes: 8)
        let entrySize = number(at: 0x3A, bytes: 2)
        return (0..<number(at: 0x3C, bytes: 2)).map { index in
            let entry = table + index * entrySize
            return (
                type: number(at: entry + 4, bytes: 4), offset: number(at: entry + 24, bytes: 8),
                size: number(at: entry + 32, bytes: 8), link: number(at: entry + 40, bytes: 4)
            )
        }
    }

    private func number(at offset: Int, bytes count: Int) -> Int {
        bytes[offset..<offset + count].reversed().reduce(0) { $0 << 8 | Int($1) }
    }

    private func string(at offset: Int) -> String {
        String(decoding: bytes[offset...].prefix { $0 != 0 }, as: UTF8.self)
    }
}

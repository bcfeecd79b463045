import FoundationEssentials
import Testing

/// What the built daemon links.
@Suite struct BinaryTests {
    /// The built `cistern` beside the test program.
    private func program() throws -> Data {
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let folder = tests.split(separator: "/").dropLast().joined(separator: "/")
        return try Data(contentsOf: URL(filePath: "/\(folder)/cistern"))
    }

    /// A library that a program needs stands by name in its dynamic string table; a library linked
    /// into it leaves its module's name in mangled symbols.
    @Test func fullFoundationIsNotLinked() throws {
        let program = try program()
        #expect(program.count > 100_000)
        for name in ["libFoundation.so", "lib_FoundationICU.so", "libFoundationNetworking.so"] {
            #expect(program.range(of: Data(name.utf8)) == nil, "\(name) is linked")
        }
    }
}

import FoundationEssentials
import Testing

/// What the built daemon links.
@Suite struct BinaryTests {
    /// The built `cistern` beside the test program.
    private func program() throws -> [UInt8] {
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let folder = tests.split(separator: "/").dropLast().joined(separator: "/")
        return try [UInt8](Data(contentsOf: URL(filePath: "/\(folder)/cistern")))
    }

    @Test func fullFoundationIsNotLinked() throws {
        let libraries = ELFFile(try program()).neededLibraries
        #expect(libraries.contains("libc.so.6"))
        for name in ["libFoundation.so", "lib_FoundationICU.so", "libFoundationNetworking.so"] {
            #expect(!libraries.contains(name), "\(name) is linked")
        }
    }
}

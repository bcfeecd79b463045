import FoundationEssentials
import TestSupport
import Testing

/// The micro benchmarks still do what they measure.
@Suite struct MicroBenchmarkTests {
    @Test func eachBenchmarkRunsOnce() async throws {
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let folder = tests.split(separator: "/").dropLast().joined(separator: "/")
        let output = try await offThePool {
            try Command.succeed(
                "/\(folder)/micro", ["--count", "1", "--rounds", "1", "--rows", "10"])
        }
        let names = output.stdout.split(separator: "\n").compactMap {
            $0.split(separator: " ").first
        }
        #expect(names.count >= 5)
        for name in ["parse", "select", "blob", "hash", "sendfile"] {
            #expect(names.contains { $0 == name }, "\(name) is gone")
        }
    }
}

import Linux
import OCI
import Reactor
import Testing

@testable import Store

/// Which files stay open, and which are closed for others.
struct OpenFilesTests {
    private static func digest(_ number: Int) -> Digest {
        StreamingHash.digest(of: Array("\(number)".utf8), .sha256)
    }

    private static func file() throws -> GrowingFile {
        GrowingFile(
            complete: try System.open("/dev/null", 0), size: 1)
    }

    private static func open(_ number: Int, in files: OpenFiles) throws -> GrowingFile? {
        let digest = digest(number)
        if let file = files.file(digest) { return file }
        return files.insert(try file(), as: digest, since: files.epoch)?.file
    }

    /// INT-9, OPS-4: nothing that somebody holds is closed or given up, and what nobody holds does
    /// not add up.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func whatIsHeldStays_andTheRestIsBounded(seed: UInt64) throws {
        print("seed \(seed)")
        var dice = Dice(seed: seed)
        let files = OpenFiles(idleMax: 8)
        var held: [Int: GrowingFile] = [:]
        for _ in 0..<5000 {
            let number = Int.random(in: 0..<40, using: &dice)
            switch Int.random(in: 0..<8, using: &dice) {
            case 0: held[number] = try Self.open(number, in: files)
            case 1: held[number] = nil
            case 2:
                files.drop(Self.digest(number))
                #expect(files.file(Self.digest(number)) == nil)
            case 3:
                let isClaimed = files.claim([Self.digest(number)])
                #expect(isClaimed == (held[number] == nil))
                if isClaimed { files.unclaim([Self.digest(number)]) }
            default: #expect(try Self.open(number, in: files) != nil)
            }
            // Those in use are on top; one look passes over sixteen at most.
            #expect(files.count <= 8 + held.count)
        }
        held = [:]
        for number in 0..<40 { _ = try Self.open(number, in: files) }
        #expect(files.count == 8)
    }

    @Test func whatIsUsedAgainAndAgain_isNotClosedForWhatIsUsedOnce() throws {
        let files = OpenFiles(idleMax: 64)
        let hot = try (0..<4).map { try #require(try Self.open($0, in: files)) }
            .map { ObjectIdentifier($0) }
        for number in 100..<2_100 {
            _ = try Self.open(number, in: files)
            if number % 16 == 0 {
                for index in 0..<4 {
                    let file = try #require(files.file(Self.digest(index)))
                    #expect(ObjectIdentifier(file) == hot[index])
                }
            }
        }
        #expect(files.count == 64)
    }
}

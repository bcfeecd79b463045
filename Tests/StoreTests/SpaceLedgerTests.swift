import OCI
import Reactor
import Testing

@testable import Store

struct SpaceLedgerTests {
    @Test func aReservation_isGivenBackWithItsLastOwner() {
        let ledger = SpaceLedger(maxSize: 100, minFree: 0, footprint: { 10 })
        do {
            let reservation = ledger.tryReserve(90)
            #expect(reservation != nil)
            #expect(ledger.tryReserve(1) == nil)
            #expect(ledger.shortfall(for: 1) == 1)
        }
        #expect(ledger.snapshot.reserved == 0)
        #expect(ledger.tryReserve(91) == nil)
        #expect(ledger.tryReserve(90) != nil)
    }

    @Test func theSpaceOfAnUnlinkedFile_isKeptBackForAWhile() {
        // Who adds up the files meanwhile may have seen it, and must not see another in its place.
        let clock = ManualClock()
        let ledger = SpaceLedger(
            maxSize: 100, minFree: 0,
            cooling: .init(clock: .manual(clock)) { .milliseconds(200) }, footprint: { 0 })
        ledger.commit(100)
        #expect(ledger.coolingTime == nil)
        ledger.commit(-40)
        #expect(ledger.tryReserve(1) == nil)
        // No reason to unlink more.
        #expect(ledger.shortfall(for: 40) == 0)
        #expect(ledger.snapshot.used == 60)
        clock.advance(by: .milliseconds(150))
        ledger.commit(-10)
        #expect(ledger.coolingTime == .milliseconds(50))
        clock.advance(by: .milliseconds(50))
        #expect(ledger.tryReserve(41) == nil)
        #expect(ledger.tryReserve(40) != nil)
        #expect(ledger.coolingTime == .milliseconds(150))
        clock.advance(by: .milliseconds(150))
        #expect(ledger.tryReserve(50) != nil)
        #expect(ledger.coolingTime == nil)
    }

    @Test func whatIsPromisedButNotWritten_doesNotEatIntoMinFree() {
        // DUR-6
        let ledger = SpaceLedger(maxSize: 1000, minFree: 50, footprint: { 0 })
        let first = ledger.tryReserve(100)
        first?.noteWritten(upTo: 40)
        // 60 of the 100 that are still free will be written.
        ledger.noteFileSystem(available: 100 + 60, at: Instant(nanoseconds: 0))
        #expect(ledger.tryReserve(51) == nil)
        #expect(ledger.tryReserve(50) != nil)
        first?.release()
    }

    @Test func impossibleSizes_areNoTrap() {
        // SWIFT-1
        let ledger = SpaceLedger(maxSize: .max, minFree: 0, footprint: { 1 })
        for size in [Int64.max, .min, -1, 1 << 51] { #expect(SpaceLedger.charge(for: size) == nil) }
        #expect(ledger.tryReserve(.max) == nil)
        #expect(ledger.tryReserve(-1) == nil)
        #expect(ledger.shortfall(for: .max) == .max)
        #expect(SpaceLedger.charge(for: 0) == SpaceLedger.overheadBytes)
    }

    @Test func strays_areCountedOnce() throws {
        let ledger = SpaceLedger(maxSize: 1000, minFree: 0, footprint: { 0 })
        let digest = Content([1]).digest
        ledger.noteStray(digest, disk: 100)
        ledger.noteStray(digest, disk: 200)
        #expect(ledger.snapshot.used == 200)
        ledger.settleStray(digest)
        ledger.settleStray(digest)
        #expect(ledger.snapshot.used == 0)
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func theLedger_agreesWithANaiveSum(seed: UInt64) {
        print("seed \(seed)")
        var dice = Dice(seed: seed)
        let ledger = SpaceLedger(maxSize: 10_000, minFree: 0, footprint: { 7 })
        var held: [Reservation] = []
        var committed: Int64 = 0
        for _ in 0..<2000 {
            let reserved = held.reduce(0) { $0 + $1.bytes }
            #expect(ledger.snapshot.used == reserved + committed + 7)
            #expect(ledger.snapshot.used <= 10_000)
            let bytes = Int64.random(in: 0..<2000, using: &dice)
            let fits = reserved + committed + 7 + bytes <= 10_000
            let picked = held.indices.randomElement(using: &dice)
            switch (Int.random(in: 0..<4, using: &dice), picked) {
            case (1, let place?):
                #expect(ledger.tryGrow(held[place], by: bytes) == fits)
            case (2, let place?):
                held.remove(at: place).noteWritten(upTo: bytes)
            case (3, let place?):
                let disk = held[place].bytes / 2
                held.remove(at: place)
                ledger.commit(disk)
                committed += disk
            default:
                if committed > 5000 {
                    ledger.commit(-committed)
                    committed = 0
                }
                let reservation = ledger.tryReserve(bytes)
                if committed > 0 { #expect((reservation != nil) == fits) }
                if let reservation { held.append(reservation) }
            }
        }
    }
}

struct StreamingHashTests {
    @Test func knownAnswers() {
        // FIPS 180-4, "abc"
        let abc = Array("abc".utf8)
        #expect(
            StreamingHash.digest(of: abc, .sha256).description
                == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            StreamingHash.digest(of: abc, .sha512).hex.hasPrefix("ddaf35a193617abacc417349ae204131")
        )
    }

    @Test func piecesHashAsTheWhole() {
        let content = Content(size: 100_000, seed: 1)
        var hash = StreamingHash(.sha256)
        var offset = 0
        var piece = 1
        while offset < content.bytes.count {
            let end = min(offset + piece, content.bytes.count)
            Array(content.bytes[offset..<end]).withUnsafeBytes { hash.update($0) }
            (offset, piece) = (end, piece * 3)
        }
        #expect(hash.finalize() == content.digest)
    }
}

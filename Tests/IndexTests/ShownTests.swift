import TestSupport
import Testing

@testable import Index

/// What is remembered of what is shown, and when it is forgotten (AUTH-10).
struct ShownTests {
    @Test(arguments: Query.allCases)
    func aStatementThatChangesTagsOrEndsLinks_endsTheEpoch(query: Query) {
        let words = query.sql.split { " (\n".contains($0) }
        let changes = [
            ["INTO", "tag"], ["UPDATE", "tag"], ["DELETE", "FROM", "tag"],
            ["DELETE", "FROM", "link"], ["UPDATE", "link"], ["REPLACE", "INTO", "link"],
        ].contains { change in
            words.indices.contains { words[$0...].starts(with: change) { $0 == $1 } }
        }
        // Only says that a tag still is what it was.
        let isExempt = query == .renewTag
        #expect(query.changesShown == (changes && !isExempt), "\(query)")
    }

    @Test func whatIsRemembered_isBounded() throws {
        let links = KnownLinks()
        let names = (0...8).map { IndexFixture.name("a\($0)") }
        func contains(_ number: Int, _ name: Int) -> Bool {
            links.contains("hub", names[name], IndexFixture.digest(number))
        }
        func add(_ number: Int, _ shown: ClosedRange<Int>) {
            let digest = IndexFixture.digest(number)
            for name in shown { links.add("hub", names[name], digest, since: links.epoch) }
        }
        // A layer of many images is remembered under the names it was asked for last.
        for number in 0..<4096 { add(number, number % 256 == 255 ? 0...8 : 0...7) }
        #expect(!contains(4095, 0) && contains(4095, 8))
        #expect(contains(0, 7))
        add(4096, 0...0)
        #expect(!contains(0, 7) && contains(4096, 0))
    }
}

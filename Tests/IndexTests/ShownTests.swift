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

    @Test func whatIsRemembered_isForgottenWithTheEpoch() throws {
        let links = KnownLinks()
        let (name, other) = (IndexFixture.name("a"), IndexFixture.name("b"))
        let digest = IndexFixture.digest(1)
        let epoch = links.epoch
        links.add("hub", name, digest, since: epoch)
        #expect(links.contains("hub", name, digest))
        #expect(!links.contains("hub", other, digest))
        #expect(!links.contains("quay", name, digest))
        #expect(!links.contains("hub", name, IndexFixture.digest(2)))
        links.forget()
        #expect(!links.contains("hub", name, digest))
        // Read before that: it may not be true any more.
        links.add("hub", name, digest, since: epoch)
        #expect(!links.contains("hub", name, digest))
    }
}

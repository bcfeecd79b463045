import Testing

@testable import OCI

/// The JSON that Cistern writes itself: referrers, tag lists, errors.
struct AnswerTests {
    private func text(_ bytes: [UInt8]) -> String {
        String(decoding: bytes, as: UTF8.self)
    }

    @Test func noReferrersAreAnEmptyListAndNoError() throws {
        #expect(
            text(ReferrersIndex().encode())
                == #"{"schemaVersion":2,"mediaType":"\#(MediaType.ociIndex)","manifests":[]}"#)
        #expect(try ReferrersIndex.parse(ReferrersIndex().encode()).descriptors.isEmpty)
    }

    @Test func referrersAreReadBackAsWritten() throws {
        let digest = try #require(Digest(parsing: ManifestTests.digest(7)))
        let list = ReferrersIndex([
            Descriptor(
                mediaType: MediaType.ociManifest, digest: digest, size: 12,
                artifactType: "application/sig", annotations: ["b": "\"<x>\"", "a": "é\n"],
                platform: "linux/arm/v7"),
            Descriptor(mediaType: MediaType.ociManifest, digest: digest, size: .max),
        ])
        #expect(try ReferrersIndex.parse(list.encode()).descriptors == list.descriptors)
        // Equal lists have equal bytes, whatever the order of a dictionary.
        #expect(text(list.encode()).contains(#""annotations":{"a":"#))
    }

    @Test(arguments: ["", "<html>", "[]", "{}", #"{"errors":[{"code":"X"}]}"#, #"{"manifests":5}"#])
    func referrersThatAreNoneAreRefused(body: String) {
        #expect(throws: ManifestError.self) { try ReferrersIndex.parse(Array(body.utf8)) }
    }

    @Test func tagListIsNeverNull() throws {
        #expect(text(TagList(name: "a/b", tags: []).encode()) == #"{"name":"a/b","tags":[]}"#)
        let list = try TagList.parse(
            Array(#"{"name":"x","tags":["b","a","not a tag",5,null]}"#.utf8))
        #expect(list.tags.map(\.text) == ["b", "a"])
        #expect(try TagList.parse(Array(#"{"name":"x","tags":null}"#.utf8)).tags.isEmpty)
        #expect(throws: JSONError.self) { try TagList.parse(Array("[]".utf8)) }
    }

    @Test(
        arguments: [
            (nil, nil, ["a", "b", "c"], false), (nil, 2, ["a", "b"], true),
            (nil, 3, ["a", "b", "c"], false),
            ("a", nil, ["b", "c"], false), ("a", 1, ["b"], true), ("aa", 1, ["b"], true),
            ("c", 1, [], false), ("zz", nil, [], false), (nil, 0, [], false), ("", 1, ["a"], true),
            (nil, -5, [], false),
        ] as [(String?, Int?, [String], Bool)])
    func pagesBeginAfterLastAndSayWhetherMoreFollows(
        last: String?, count: Int?, expected: [String], more: Bool
    ) {
        let list = TagList(name: "x", tags: ["a", "b", "c"].compactMap { Tag(parsing: $0) })
        let page = list.page(after: last, count: count)
        #expect(page.tags.tags.map(\.text) == expected)
        #expect(page.more == more)
    }

    @Test func errorBodiesEscapeWhatTheyQuote() {
        let body = ErrorBody(
            .manifestUnknown, "no \"such\" thing\r\n\u{1b}<b>",
            detail: [("tag", "a\\b"), ("n", "1")])
        #expect(
            text(body.encode())
                == #"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"no \"such\" thing\u000d\u000a\u001b\u003cb\u003e","#
                + #""detail":{"tag":"a\\b","n":"1"}}]}"#)
        #expect(
            text(ErrorBody(.denied, "no").encode())
                == #"{"errors":[{"code":"DENIED","message":"no"}]}"#)
    }
}

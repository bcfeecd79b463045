import TestSupport
import Testing

/// Ranges and conditions on stored content (protocol.md §1.3, §10.4.4, HTTP-7).
@Suite("E12 ranges and conditions", .realParts)
struct E12_RangeTests {
    private let blob = TestContent(seed: 12, size: 2048)

    /// A daemon that has the blob, without its upstream.
    private func warm() throws -> (DaemonProcess, Puller) {
        let upstream = try LoopbackRegistry()
        upstream.add(blob)
        let daemon = try DaemonProcess(DaemonConfiguration(upstream))
        let puller = Puller(daemon, "/v2/docker.io/library/a")
        try #require(try puller.get(blob).isRight)
        return (daemon, puller)
    }

    @Test func theConformanceRangesAreExact() throws {
        let (daemon, puller) = try warm()
        let cases: [(String, Range<Int64>?)] = [
            ("bytes=500-1499", 500..<1500), ("bytes=500-", 500..<2048),
            ("bytes=-500", 1548..<2048), ("bytes=2000-5000", 2000..<2048),
            ("bytes=500-0", nil), ("bytes=5000-10000", nil),
            ("bytes=0-0", 0..<1), ("bytes=2047-2047", 2047..<2048), ("bytes=2048-", nil),
            ("bytes=-9999", 0..<2048), ("bytes=0-9223372036854775807", 0..<2048),
        ]
        for (header, range) in cases {
            let answer = try RawClient.request(
                daemon.address, puller.blob(blob), fields: [("Range", header)])
            if let range {
                #expect(answer.status == 206, "\(header)")
                #expect(answer.body == blob.bytes(in: range), "\(header)")
                #expect(
                    answer["Content-Range"]
                        == "bytes \(range.lowerBound)-\(range.upperBound - 1)/2048", "\(header)")
            } else {
                #expect(answer.status == 416, "\(header)")
                #expect(answer["Content-Range"] == "bytes */2048", "\(header)")
            }
        }
    }

    @Test func malformedRangesGiveTheWhole() throws {
        let (daemon, puller) = try warm()
        for header in ["bytes=a-b", "bytes=", "items=0-5", "bytes=-", "bytes 0-5", "bytes=1"] {
            let answer = try RawClient.request(
                daemon.address, puller.blob(blob), fields: [("Range", header)],
                sink: .compare(blob))
            #expect(answer.status == 200, "\(header)")
            #expect(answer.isRight, "\(header)")
        }
    }

    @Test func hugeNumbersNeverCrash() throws {
        // SWIFT-1, CVE-2022-31005
        let (daemon, puller) = try warm()
        let headers = [
            "bytes=9223372036854775807-", "bytes=18446744073709551616-", "bytes=-0",
            "bytes=0-99999999999999999999999999", "bytes=-99999999999999999999999999",
            "bytes=9223372036854775807-9223372036854775807",
        ]
        for header in headers {
            let answer = try RawClient.request(
                daemon.address, puller.blob(blob), fields: [("Range", header)])
            #expect([200, 206, 416].contains(answer.status), "\(header)")
        }
        #expect(try puller.get(blob).isRight)
    }

    @Test func severalRangesAreTheWholeOrMultipart() throws {
        let (daemon, puller) = try warm()
        let many = (0..<1024).map { "\($0 * 2)-\($0 * 2)" }.joined(separator: ",")
        for ranges in ["0-9,100-109", many] {
            let answer = try RawClient.request(
                daemon.address, puller.blob(blob), fields: [("Range", "bytes=\(ranges)")])
            if answer.status == 206 {
                #expect(answer["Content-Type"]?.hasPrefix("multipart/byteranges") == true)
                #expect(answer.text.contains("bytes 0-"))
            } else {
                #expect(answer.status == 200)
                #expect(answer.body == blob.bytes)
            }
        }
    }

    @Test func conditionsAreObeyed() throws {
        let (daemon, puller) = try warm()
        func get(_ fields: (String, String)...) throws -> WireResponse {
            try RawClient.request(daemon.address, puller.blob(blob), fields: fields)
        }
        let tag = "\"\(blob.digest)\""
        #expect(try get(("If-None-Match", tag)).status == 304)
        #expect(try get(("If-None-Match", blob.digest)).status == 304)
        #expect(try get(("If-None-Match", "*")).status == 304)
        #expect(try get(("If-None-Match", "\"other\", \(tag)")).status == 304)
        #expect(try get(("If-None-Match", "\"other\"")).status == 200)
        #expect(try get(("Range", "bytes=5-"), ("If-Range", tag)).status == 206)
        #expect(try get(("Range", "bytes=5-"), ("If-Range", "\"other\"")).status == 200)
    }

    @Test func aManifestRangeFromZeroIsNever416() throws {
        let upstream = try LoopbackRegistry()
        let image = ImageFixture(seed: 12)
        upstream.add(image, "library/a")
        let daemon = try DaemonProcess(DaemonConfiguration(upstream))
        let puller = Puller(daemon, "/v2/docker.io/library/a")
        let answer = try RawClient.request(
            daemon.address, puller.manifest("latest"), fields: [("Range", "bytes=0-")],
            sink: .compare(image.index.content))
        #expect([200, 206].contains(answer.status))
        #expect(answer.isRight)
    }
}

import CCurlWatch
import OCI
import Testing

@testable import Upstream

/// libcurl is not called from inside its own callbacks: what it frees there may still be in use.
@Suite struct CallbackTests {
    private static let block = [UInt8](repeating: 7, count: 1 << 20)

    @Test func aCallFromInsideIsNoticed() {
        #expect(ccurlwatch_rehearse() == 1)
    }

    @Test(arguments: Course.allCases)
    func howeverATransferGoes_nothingIsFreedFromInside(course: Course) async throws {  // SWIFT-4
        let before = ccurlwatch_calls()
        try await withServer(
            { _ in course.answer },
            { server in
                let harness = try Harness(server.url) { $0.limits.transfersMax = 1 }
                defer { harness.stop() }
                for _ in 0..<8 { await course.run(harness) }
            })
        #expect(ccurlwatch_calls() > before)
        // Of all tests of this process so far.
        #expect(ccurlwatch_nested_calls() == 0)
    }

    /// Ways that a transfer goes.
    enum Course: CaseIterable {
        case whole, paused, cancelled, dropped, badLength, badHead, reset, closed

        var answer: [Step] {
            let head = Step.head(200, ["Content-Length": "\(4 << 20)"])
            return switch self {
            case .whole, .paused, .cancelled, .dropped:
                [head] + [Step](repeating: .sendBytes(CallbackTests.block), count: 4)
            case .badLength: [.head(200, ["Content-Length": "1, 1"]), .send("x"), .close]
            case .badHead: [.send(OddHead.manyFields.text), .close]
            case .reset: [head, .sendBytes(CallbackTests.block), .reset]
            case .closed: [head, .sendBytes(CallbackTests.block), .close]
            }
        }

        fileprivate func run(_ harness: Harness) async {
            do {
                let response = try await harness.send(UpstreamRequest(.get, .layer("a")))
                switch self {
                case .cancelled:
                    _ = try await response.body.next()
                    response.body.cancel()
                case .dropped: _ = try await response.body.next()
                case .paused:
                    _ = await eventually { harness.received > 0 }
                    for _ in 0..<50 { await harness.turn() }
                    _ = try await response.body.collect(limit: 64 << 20)
                default: _ = try await response.body.collect(limit: 64 << 20)
                }
            } catch {}
        }
    }
}

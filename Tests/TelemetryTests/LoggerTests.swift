import Testing

@testable import Telemetry

private let pull = AccessRecord(
    requestID: "9f3c", client: "10.1.2.3", method: "GET", repository: "quay",
    name: "jetstack/cert-manager-controller", reference: "v1.16.2", status: 200, bytes: 2371,
    duration: .microseconds(4213), firstByte: .microseconds(3100), cache: .hit,
    userAgent: "containerd/2.1.4")

@Suite struct LoggerTests {
    private let prefix = "time=2025-12-31T23:59:59.042Z level=info "

    @Test func startUpLinesAreLogfmt() throws {
        let log = try PipedLog()
        log.logger.log(
            .info, "listening", ["address": "127.0.0.1:5000", "listener": "registry"])
        log.logger.log(.info, "ready")
        #expect(
            log.lines() == [
                prefix + "msg=listening address=127.0.0.1:5000 listener=registry",
                prefix + "msg=ready",
            ])
    }

    @Test func aRequestIsOneLine() throws {
        let log = try PipedLog()
        log.logger.access(pull)
        #expect(
            log.lines() == [
                prefix + "msg=pull req=9f3c client=10.1.2.3 method=GET repo=quay"
                    + " name=jetstack/cert-manager-controller ref=v1.16.2 status=200 bytes=2371"
                    + " dur=0.004213 ttfb=0.003100 cache=hit ua=containerd/2.1.4"
            ])
    }

    @Test func aPushSaysWhoAndHowMuch() throws {
        let log = try PipedLog()
        var push = AccessRecord(
            requestID: "9f3d", client: "10.1.2.3", method: "PUT", status: 201, bytes: 0,
            duration: .milliseconds(1))
        (push.message, push.user, push.received) = ("push", "alice", 12)
        log.logger.access(push)
        #expect(
            log.lines() == [
                prefix + "msg=push req=9f3d client=10.1.2.3 user=alice method=PUT repo=- name=-"
                    + " ref=- status=201 bytes=0 dur=0.001000 ttfb=- cache=- ua=- in=12"
            ])
    }

    @Test func aRequestThatWasCutSaysSo() throws {
        let log = try PipedLog()
        var record = pull
        record.isComplete = false
        record.repository = nil
        record.userAgent = "evil\nmsg=ready"
        log.logger.access(record)
        let line = try #require(log.lines().first)
        #expect(line.contains(" repo=- "))
        #expect(line.hasSuffix(#" ua="evil\nmsg=ready" cut=true"#))
    }

    @Test func underSystemdLinesCarryAPriorityAndNoTime() throws {
        let log = try PipedLog(format: .auto) { descriptor, name in
            name == "JOURNAL_STREAM" ? LogStyle.deviceAndInode(of: descriptor) : nil
        }
        log.logger.log(.error, "store_failed", ["error": "no space", "attempt": 2])
        log.logger.log(.warn, "slow")
        #expect(
            log.lines() == [#"<3>msg=store_failed error="no space" attempt=2"#, "<4>msg=slow"])
    }

    @Test func aJournalThatIsNotThisStreamChangesNothing() throws {
        let log = try PipedLog(format: .auto) { _, name in
            name == "JOURNAL_STREAM" ? "8:12345" : nil
        }
        log.logger.log(.info, "ready")
        #expect(log.lines() == [prefix + "msg=ready"])
    }

    @Test func jsonLinesEscapeAndLeaveOutWhatIsAbsent() throws {
        let log = try PipedLog(format: .json)
        log.logger.log(.info, "odd", ["text": "a\"\u{1}", "none": .absent, "yes": true, "n": -3])
        #expect(
            log.lines() == [
                #"{"time":"2025-12-31T23:59:59.042Z","level":"info","msg":"odd","#
                    + #""text":"a\"\u0001","yes":true,"n":-3}"#
            ])
    }

    @Test func aTerminalGetsShortColouredLines() {
        var formatter = LogFormatter(style: .terminal(colour: true))
        var bytes: [UInt8] = []
        let time: Int64 = 1_767_225_599_042
        let slow = LogEvent.Content.message("slow", [("why", "\u{1B}[31m")])
        formatter.append(
            LogEvent(level: .warn, wallMilliseconds: time, content: slow), to: &bytes)
        formatter.append(
            LogEvent(level: .info, wallMilliseconds: time, content: .access(pull)), to: &bytes)
        #expect(
            String(decoding: bytes, as: UTF8.self) == "\u{1B}[2m23:59:59\u{1B}[0m "
                + "\u{1B}[33mwarn \u{1B}[0m slow why=\"\\u001b[31m\"\n"
                + "\u{1B}[2m23:59:59\u{1B}[0m GET \u{1B}[32m200\u{1B}[0m hit quay"
                + " jetstack/cert-manager-controller v1.16.2 2371 B 0.004213 s\n")
    }

    @Test func theLevelDecidesAndMayChange() throws {
        let log = try PipedLog(level: .warn)
        log.logger.log(.info, "one")
        log.logger.access(pull)
        log.logger.level = .debug
        #expect(log.logger.level == .debug)
        log.logger.log(.debug, "two")
        #expect(log.lines().map { $0.hasSuffix("msg=two") } == [true])
    }

    @Test func aReaderThatFallsBehindCostsLinesAndNeverBlocks() throws {
        let log = try PipedLog(capacity: 4096)
        for number in 0..<20_000 {
            log.logger.log(.info, "flood", ["number": .integer(Int64(number))])
        }
        let dropped = log.logger.droppedLines
        #expect(dropped > 0)
        #expect(!log.logger.flush(within: .milliseconds(1)))
        var lines = log.lines()
        log.logger.log(.info, "last")
        lines += log.lines()
        // One line for each time the writer found some missing.
        let reported = lines.filter { $0.contains("msg=log_lines_dropped") }
            .compactMap { $0.split(separator: "=").last.flatMap { Int($0) } }
        #expect(reported.reduce(0, +) == dropped)
        #expect(lines.count { $0.contains("msg=flood") } == 20_000 - dropped)
    }

    @Test func linesOfManyThreadsStayWhole() async throws {
        let log = try PipedLog()
        await withTaskGroup(of: Void.self) { group in
            for writer in 0..<8 {
                group.addTask { [logger = log.logger] in
                    for number in 0..<200 {
                        logger.log(.info, "line", ["id": "\(writer)/\(number)"])
                    }
                }
            }
        }
        let lines = log.lines()
        #expect(lines.count == 1600)
        #expect(Set(lines).count == 1600)
        #expect(lines.allSatisfy { $0.contains("level=info msg=line id=") })
    }
}

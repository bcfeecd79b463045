import OCI
import Reactor
import TestSupport
import Testing
import Upstream

@testable import Migration

/// What a run says, while it runs and at its end.
@Suite struct ReportTests {
    private func failure(_ cause: CopyFailure.Cause) -> CopyFailure {
        CopyFailure(.source, "blob x", cause)
    }

    @Test func theTableHasARowForEachNameAndATotal() {
        var sample = Scoreboard.Sample()
        sample.total = 6
        sample.rows = [
            "b": .init(copied: 10, skipped: 0, failed: 0), "a/long": .init(failed: 1),
        ]
        sample.failures = [("a/long:1", failure(.answer(status: 404, code: "X", message: "gone")))]
        let table = Report(sample: sample, seconds: 3).table
        #expect(
            table.hasPrefix(
                """
                NAME    COPIED  SKIPPED  FAILED
                a/long       0        0       1
                b           10        0       0
                total       10        0       1

                failed: a/long:1
                  why:  source: blob x: 404 X gone
                  fix:  \("it is not there")
                """))
    }

    @Test func manyNamesShareARow() {
        var sample = Scoreboard.Sample()
        for number in 0..<1000 { sample.rows["n\(number)"] = .init(copied: 1) }
        let lines = Report(sample: sample, seconds: 3).table.split(separator: "\n")
        #expect(lines.count == 203)
        #expect(lines[201].hasPrefix("and 800 more"))
    }

    @Test func quantitiesAreForPeople() {
        #expect(Quantity.size(0) == "0 B")
        #expect(Quantity.size(1023) == "1023 B")
        #expect(Quantity.size(1536) == "1.5 KiB")
        #expect(Quantity.size(3 << 30) == "3.0 GiB")
        #expect(Quantity.size(.max).hasSuffix("TiB"))
        #expect(Quantity.time(0.25) == "0.3 s")
        #expect(Quantity.time(59) == "59 s")
        #expect(Quantity.time(125) == "2 min 5 s")
        #expect(Quantity.time(7300) == "2 h 1 min")
        #expect(Quantity.time(.infinity) == Quantity.time(1e9))
    }

    @Test func barsAreDrawnOverAndFit() {
        let start = Instant(nanoseconds: 0)
        var view = ProgressView(.bars, started: start)
        view.columns = 40
        var sample = Scoreboard.Sample()
        sample.total = 4
        sample.rows = ["a": .init(copied: 1)]
        sample.active = (0..<12).map { number in
            .init(
                number: number, label: String(repeating: "n", count: 90), sent: Int64(number),
                expected: Int64(number % 2 * 10))
        }
        let first = view.update(sample, at: start + .seconds(1))
        #expect(!first.hasPrefix("\u{1b}"))
        #expect(first.contains("1/4 images"))
        #expect(first.contains("1 B/10 B\n"))
        #expect(first.split(separator: "\n").allSatisfy { $0.count < 40 })
        let second = view.update(sample, at: start + .seconds(2))
        // One line, eight images, and how many more there are.
        #expect(second.hasPrefix("\u{1b}[10F\u{1b}[J"))
        #expect(view.line("failed x").hasSuffix("failed x\n"))
        #expect(view.end().isEmpty)
    }

    @Test func linesComeEveryTenSecondsIfThereIsNews() {
        let start = Instant(nanoseconds: 0)
        var view = ProgressView(.lines, started: start)
        var sample = Scoreboard.Sample()
        sample.total = 4
        #expect(view.update(sample, at: start + .seconds(9)).isEmpty)
        #expect(view.update(sample, at: start + .seconds(10)) == "0/4 images  0 B  0 B/s\n")
        #expect(view.update(sample, at: start + .seconds(15)).isEmpty)
        #expect(view.update(sample, at: start + .seconds(20)).isEmpty)
        sample.rows = ["a": .init(copied: 1)]
        let text = view.update(sample, at: start + .seconds(30))
        #expect(text.hasPrefix("1/4") && !text.contains("\u{1b}"))
    }

    @Test func textOfARegistryCannotMoveTheCursor() {
        #expect(ErrorAnswer.shown("a\u{1b}[2Jb\n\u{9b}é") == "a?[2Jb?????")
        #expect(ErrorAnswer.shown(String(repeating: "x", count: 5000)).count == 200)
    }

    /// A source that cannot list some of it is there all the same.
    @Test func whatCannotBeListedIsNoOutage() {
        let scoreboard = Scoreboard()
        for number in 0..<12 {
            scoreboard.unlisted("n\(number)", failure(.transport(.timeout(.firstByte))))
        }
        let sample = scoreboard.sample
        #expect(sample.outagesInRow == 0)
        #expect(sample.failed == 12 && sample.failures.count == 12)
    }

    @Test func whatIsToBeDoneDependsOnTheSide() {
        let wrong = CopyFailure.Cause.content("it was taken for another digest")
        #expect(CopyFailure(.source, "", wrong).fix.contains("push it again"))
        #expect(CopyFailure(.destination, "", wrong).fix.contains("the destination"))
    }

    @Test func whatMayPassIsToldFromWhatDoesNot() {
        #expect(failure(.transport(.reset)).isWorthRepeating)
        #expect(failure(.answer(status: 502, code: "", message: "")).isWorthRepeating)
        #expect(!failure(.answer(status: 404, code: "", message: "")).isWorthRepeating)
        #expect(!failure(.badManifest(.schema1)).isWorthRepeating)
        #expect(failure(.answer(status: 429, code: "", message: "")).isLimit)
        #expect(failure(.transport(.connect(host: "h", detail: ""))).isOutage)
        #expect(failure(.transport(.tokenDenied(status: 403))).isDenial)
    }
}

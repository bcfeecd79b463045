import OCI
import Reactor

/// One run of a command: lists, copies several images at a time, reports.
struct CopyRun: Sendable {
    /// Failures in a row that say that a registry is gone, until it is believed.
    private static let outagesMax = 12

    private static let interrupted =
        "interrupted: run the same command again, it goes on where it was\n"

    let job: CopyJob
    let loop: EventLoop
    let output: CopyOutput
    let scoreboard = Scoreboard()
    let started: Instant

    init(_ job: CopyJob, on loop: EventLoop, _ output: CopyOutput) {
        self.job = job
        self.loop = loop
        self.output = output
        started = loop.now
    }

    func run() async -> CopyEnding {
        let screen = CopyScreen(loop, output, scoreboard)
        loop.spawn { await screen.run() }
        do throws(CopyFailure) {
            let journal = try openJournal()
            let builder = CopyBuilder(job: job, loop: loop, scoreboard: scoreboard)
            let destination = try builder.destination()
            let pacer = Pacer(loop, scoreboard)
            let items = try await list(builder, pacer)
            if job.isDryRun {
                await screen.end()
                return tell(items)
            }
            let work = Work(
                copier: builder.copier(destination, pacer), journal: journal, screen: screen)
            await copy(items, work)
            journal?.sync()
            await screen.end()
            return report(journal)
        } catch {
            await screen.end()
            guard error.isInterruption || Task.isCancelled else { return .failed(error) }
            output.error(Self.interrupted)
            return .interrupted
        }
    }

    private func openJournal() throws(CopyFailure) -> Journal? {
        guard let path = job.statePath, !job.isDryRun else { return nil }
        return try Journal(path, about: job.title)
    }

    private func list(
        _ builder: CopyBuilder, _ pacer: Pacer
    ) async throws(CopyFailure) -> [ImageItem] {
        scoreboard.listing("")
        let found = Findings(scoreboard)
        try await builder.list(found, pacer)
        if Task.isCancelled { throw CopyFailure(.source, "", .interrupted) }
        let items = await found.items
        let failures = await found.failures
        scoreboard.expect(items.count + failures.count)
        for (name, failure) in failures { scoreboard.unlisted(name, failure) }
        scoreboard.listing(nil)
        return items
    }

    /// A dry run's report: what would be copied.
    private func tell(_ items: [ImageItem]) -> CopyEnding {
        for item in items {
            let mark = item.reference.digest == nil ? ":" : "@"
            output.output(
                "\(item.source.address.host)/\(item.name)\(mark)\(item.reference)  ->  "
                    + "\(job.destination.host)/\(item.label)\n")
        }
        let sample = scoreboard.sample
        for (label, failure) in sample.failures {
            output.output("failed: \(label)\n  why:  \(failure)\n  fix:  \(failure.fix)\n")
        }
        if case .nexus = job.what { output.error(Self.configuration(items)) }
        output.error(
            "\(items.count) images would be copied, \(sample.failed) cannot be listed\n")
        return sample.failed > 0 ? .someFailed : .done
    }

    /// What the destination's configuration has to have for them.
    private static func configuration(_ items: [ImageItem]) -> String {
        let names = Set(items.compactMap { $0.target.components.first }).sorted()
        return names.map { "# config.toml:\n[repositories.\($0)]\ntype = \"hosted\"\n\n" }
            .joined()
    }

    // MARK: - Copying

    private struct Work: Sendable {
        let copier: ImageCopier
        let journal: Journal?
        let screen: CopyScreen
    }

    private func copy(_ items: [ImageItem], _ work: Work) async {
        let queue = WorkQueue(items)
        await withTaskGroup { group in
            for _ in 0..<max(1, job.access.jobs) {
                group.addTask {
                    while !Task.isCancelled, !isHopeless, let (number, next) = queue.next() {
                        var item = next
                        item.number = number
                        scoreboard.began(item)
                        await copy(item, work)
                        scoreboard.ended(item)
                    }
                }
            }
        }
    }

    private var isHopeless: Bool { scoreboard.sample.outagesInRow >= Self.outagesMax }

    private func copy(_ item: ImageItem, _ work: Work) async {
        do throws(CopyFailure) {
            let journal = work.journal
            let outcome = try await work.copier.copy(item) { digest in
                journal?.isDone(item, digest) ?? false
            }
            switch outcome {
            case .copied(let digest):
                try journal?.note(item, digest)
                scoreboard.copied(item)
                await work.screen.finished("copied \(item.label)", isFailure: false)
            case .present(let digest):
                try journal?.note(item, digest)
                scoreboard.skipped(item)
                await work.screen.finished("already there \(item.label)", isFailure: false)
            case .left:
                scoreboard.skipped(item)
                await work.screen.finished("left as it is \(item.label)", isFailure: false)
            }
        } catch {
            guard !error.isInterruption else { return }
            scoreboard.failed(item.target.text, item.label, error)
            // Of a single image the command itself says it.
            guard !job.isSingle else { return }
            await work.screen.finished("failed \(item.label): \(error)", isFailure: true)
        }
    }

    // MARK: - The end

    private func report(_ journal: Journal?) -> CopyEnding {
        let sample = scoreboard.sample
        let isCut = Task.isCancelled
        if job.isSingle, !isCut, let failure = sample.failures.first?.failure {
            return .failed(failure)
        }
        let report = Report(sample: sample, seconds: (loop.now - started).inSeconds)
        if !job.isSingle { output.output(report.table) }
        output.error(report.summary + "\n")
        if isCut {
            output.error(Self.interrupted)
            return .interrupted
        }
        if sample.outagesInRow >= Self.outagesMax, let last = sample.failures.last {
            return .failed(last.failure)
        }
        return sample.failed > 0 ? .someFailed : .done
    }
}

import ArgumentParser

/// The command `micro`: how long each small part of a pull takes.
@main
struct Micro: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "micro",
        abstract: "CPU time of the small parts of a pull, one by one.",
        discussion: """
            Prints a line for each: its name, nanoseconds of one operation (the median of the \
            rounds), the bytes that an operation handles, and what it does. \
            benchmarks/micro/run counts instructions, too.
            """)

    @Argument(help: "Which to run; all of them if none is named.")
    var names: [String] = []

    @Option(help: "Operations per round; as many as 50 ms hold if not given.")
    var count: Int?

    @Option(help: "Rounds of which the median counts.")
    var rounds = 5

    @Option(help: "Blobs in the index.")
    var rows = 100_000

    @Option(help: "Where files are made, and found by the next run; a temporary folder otherwise.")
    var folder: String?

    func validate() throws {
        let known = benchmarks.map { $0.name }
        for name in names where !known.contains(name) {
            let all = known.joined(separator: ", ")
            throw ValidationError("there is no \(name); there are: \(all)")
        }
        guard (count ?? 1) > 0, rounds > 0, rows > 0 else {
            throw ValidationError("numbers begin at 1")
        }
    }

    func run() async throws {
        let scratch = try Scratch(folder, rows: rows)
        for benchmark in benchmarks where names.isEmpty || names.contains(benchmark.name) {
            let time = try await Stopwatch(count: count, rounds: rounds).time(benchmark, scratch)
            print(line(benchmark, time))
        }
    }

    private func line(_ benchmark: any Benchmark.Type, _ nanoseconds: Double) -> String {
        let time = String((nanoseconds * 10).rounded() / 10)
        let columns = [(benchmark.name, 10), (time, 12), (String(benchmark.bytes), 8)]
        let padded = columns.map { text, width in
            text + String(repeating: " ", count: max(1, width - text.count))
        }
        return padded.joined() + benchmark.operation
    }
}

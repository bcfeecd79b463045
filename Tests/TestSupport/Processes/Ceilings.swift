import Glibc

/// The most memory and threads that any daemon of this run had (P15), noted as each one ends.
///
/// Each new maximum is a line of the promises; nothing is expected here, since sanitizers and
/// tracers weigh more than the daemon.
enum Ceilings {
    private static let residentMax: Int64 = 256 << 10
    private static let threadsMax: Int64 = 16
    private static let most = Monitor((resident: Int64(0), threads: Int64(0)))

    /// Takes a look at a daemon that still runs.
    static func note(_ process: pid_t) {
        let status = ProcessStatus(process)
        let (resident, threads) = (status.kibibytes("VmHWM:"), status.count("Threads:"))
        let isNew = most.with { most in
            defer {
                most = (max(most.resident, resident), max(most.threads, threads))
            }
            return (resident: resident > most.resident, threads: threads > most.threads)
        }
        if isNew.resident {
            PromiseReport.add(
                "P15", "resident memory of any daemon", figure: "\(resident >> 10) MiB",
                bound: "\(residentMax >> 10) MiB", held: resident <= residentMax)
        }
        if isNew.threads {
            PromiseReport.add(
                "P15", "threads of any daemon", figure: "\(threads)", bound: "\(threadsMax)",
                held: threads <= threadsMax)
        }
    }
}

/// `/proc/<process>/status`, as it was at one moment; empty if there is no such process.
struct ProcessStatus {
    private let lines: [Substring]

    init(_ process: pid_t) {
        lines = ((try? Files.text("/proc/\(process)/status")) ?? "").split(separator: "\n")
    }

    /// The number of a line such as `VmRSS:    1234 kB`; 0 if it is not there.
    func kibibytes(_ name: String) -> Int64 {
        line(name).flatMap { Int64($0.split(separator: " ").dropLast().last ?? "") } ?? 0
    }

    /// The number of a line such as `Threads:\t5`; 0 if it is not there.
    func count(_ name: String) -> Int64 {
        line(name).flatMap { Int64($0.split(whereSeparator: \.isWhitespace).last ?? "") } ?? 0
    }

    private func line(_ name: String) -> Substring? { lines.first { $0.hasPrefix(name) } }
}

import Glibc
import Linux

/// The process as the kernel sees it, under the names every exporter uses.
///
/// All of it comes from system calls and `/proc/self`, which never wait for a disk.
enum ProcessMetrics {
    /// The fields of `/proc/self/stat` after the command's closing bracket, counted from `state`.
    private static let startTimeField = 19

    static func declare(in metrics: Metrics) {
        sampled(metrics.sampledCounter, "process_cpu_seconds_total", "CPU time used.", cpuSeconds)
        sampled(
            metrics.sampledGauge, "process_resident_memory_bytes", "Resident memory.",
            residentBytes)
        sampled(
            metrics.sampledGauge, "process_open_fds", "Open file descriptors.", openDescriptors)
        sampled(
            metrics.sampledGauge, "process_max_fds", "Most open file descriptors allowed.",
            descriptorsMax)
        let start = startTime()
        sampled(
            metrics.sampledGauge, "process_start_time_seconds", "When the process started."
        ) { start }
    }

    private typealias Declare = (
        String, String, [String], @escaping @Sendable () -> [Metrics.Sample]
    ) -> Void

    private static func sampled(
        _ declare: Declare, _ name: String, _ help: String,
        _ value: @escaping @Sendable () -> Double?
    ) {
        declare(name, help, []) { value().map { [Metrics.Sample($0)] } ?? [] }
    }

    @Sendable private static func cpuSeconds() -> Double? {
        var usage = rusage()
        guard getrusage(RUSAGE_SELF.rawValue, &usage) == 0 else { return nil }
        let seconds = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec
        let microseconds = usage.ru_utime.tv_usec + usage.ru_stime.tv_usec
        return Double(seconds) + Double(microseconds) / 1e6
    }

    @Sendable private static func residentBytes() -> Double? {
        let fields = read("/proc/self/statm").split(separator: " ")
        guard fields.count > 1, let pages = Double(fields[1]) else { return nil }
        return pages * Double(sysconf(Int32(_SC_PAGESIZE)))
    }

    @Sendable private static func openDescriptors() -> Double? {
        guard let directory = try? System.open("/proc/self/fd", O_RDONLY | O_DIRECTORY),
            let entries = try? System.entries(of: directory.raw)
        else { return nil }
        // Two of them are this very look: the folder, and the copy through which it is read.
        return Double(entries.count - 2)
    }

    @Sendable private static func descriptorsMax() -> Double? {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            return nil
        }
        return Double(limit.rlim_cur)
    }

    /// Seconds since 1970 at which the process started.
    private static func startTime() -> Double? {
        let stat = read("/proc/self/stat")
        guard let bracket = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[bracket...].dropFirst().split(separator: " ")
        guard fields.count > startTimeField, let ticks = Double(fields[startTimeField]) else {
            return nil
        }
        // `/proc/stat` would tell when the system booted, but the unit's ProcSubset=pid hides it.
        let booted = now(CLOCK_REALTIME) - now(CLOCK_BOOTTIME)
        return booted + ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    private static func now(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// A short file of `/proc`, or nothing.
    private static func read(_ path: String) -> String {
        guard let file = try? System.open(path, O_RDONLY) else { return "" }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = buffer.withUnsafeMutableBytes { try? System.read(file.raw, $0) }
        return String(decoding: buffer[..<(count ?? 0)], as: UTF8.self)
    }
}

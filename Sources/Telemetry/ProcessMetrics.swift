import Glibc

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
        guard let directory = opendir("/proc/self/fd") else { return nil }
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        // Besides `.` and `..` it lists the descriptor of this very look.
        return Double(max(0, count - 3))
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
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 * 1024)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
            bytes += buffer[..<count]
        }
    }
}

import Glibc
import Testing

@testable import Telemetry

/// A log into a pipe, with a clock that stands still.
final class PipedLog {
    let logger: Logger
    private let reading: Int32
    private let writing: Int32

    /// `F_SETPIPE_SZ`, which the C library's Swift view lacks.
    private static let setPipeSize: Int32 = 1031

    init(
        format: Logger.Format = .logfmt, level: Logger.Level = .info, capacity: Int32? = nil,
        environment: ((_ descriptor: Int32, _ name: String) -> String?)? = nil
    ) throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        (reading, writing) = (ends[0], ends[1])
        if let capacity { _ = fcntl(ends[1], PipedLog.setPipeSize, capacity) }
        logger = Logger(
            format: format, level: level, descriptor: ends[1],
            environment: { environment?(ends[1], $0) },
            wallMilliseconds: { 1_767_225_599_042 })
    }

    deinit {
        // The writer may still hold the descriptor's number: let it end first.
        while !logger.flush(within: .milliseconds(50)) { _ = readAvailable() }
        close(reading)
        close(writing)
    }

    /// Everything logged so far, as lines.
    func lines() -> [String] {
        var bytes: [UInt8] = []
        while !logger.flush(within: .milliseconds(50)) { bytes += readAvailable() }
        bytes += readAvailable()
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    private func readAvailable() -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            var ready = pollfd(fd: reading, events: Int16(POLLIN), revents: 0)
            guard poll(&ready, 1, 0) == 1 else { return bytes }
            let count = read(reading, &buffer, buffer.count)
            guard count > 0 else { return bytes }
            bytes += buffer[..<count]
        }
    }
}

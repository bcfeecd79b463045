import ArgumentParser
import Configuration
import Glibc
import Linux

/// Speaks to the running daemon by its unix socket, as `cistern verify` and its like do.
struct ControlClient {
    let configuration: Configuration

    /// Sends a command and hands on each line of the answer; gives the last one.
    ///
    /// Ends with 69 if no daemon answers, or if it ends before it is done; with 77 if this user may
    /// not ask it.
    func run(
        _ method: String, _ path: String, _ parameters: [(String, String)],
        line: (Substring) -> Void
    ) throws -> String {
        let query = parameters.map { "\($0)=\(Self.escaped($1))" }.joined(separator: "&")
        let target = query.isEmpty ? path : "\(path)?\(query)"
        let socket = try connect()
        var last = ""
        do throws(Errno) {
            try System.writeAll(
                socket.raw, "\(method) \(target) HTTP/1.0\r\nHost: localhost\r\n\r\n")
            last = try Self.answer(from: socket.raw, line)
        } catch {
            throw Self.goneMeanwhile("\(error)")
        }
        // What changes something says at its end how it went.
        let isOver = last.hasPrefix("done:") || last.hasPrefix("error:")
        if method == "POST", !isOver { throw Self.goneMeanwhile("its last words were \"\(last)\"") }
        return last
    }

    // MARK: - Connecting

    private func connect() throws -> FileDescriptor {
        let paths = configuration.adminSockets
        for path in paths {
            do throws(Errno) {
                let socket = try System.connectUnix(path)
                if path != configuration.adminSocket {
                    StandardStreams.writeError("note: this is the daemon at \(path)\n")
                }
                return socket
            } catch {
                // One that is not there leaves the next place to be looked at.
                guard error.code == ENOENT || error.code == ENOTDIR else {
                    throw Self.refused(at: path, error)
                }
            }
        }
        throw Self.end(
            "no daemon runs here: there is no \(paths.joined(separator: " and no "))",
            fix: """
                systemctl start cistern, or cistern serve; if it runs with a configuration file \
                of its own, name that by -c
                """)
    }

    private static func refused(at path: String, _ error: Errno) -> ExitCode {
        switch error.code {
        case EACCES, EPERM:
            end(
                "this user may not open \(path)",
                fix: "run it as the daemon's user, or with sudo", ExitStatus.notAllowed)
        case ECONNREFUSED:
            end(
                "nobody answers at \(path): the daemon that made it is gone",
                fix: """
                    start it again, which replaces the socket: systemctl start cistern, or \
                    cistern serve
                    """)
        default:
            end(
                "no daemon answers at \(path): \(error)",
                fix: "start it, or name its configuration by -c")
        }
    }

    private static func goneMeanwhile(_ cause: String) -> ExitCode {
        end(
            "the daemon went away before it was done: \(cause)",
            fix: "ask again once it runs; its log says why it ended")
    }

    private static func end(
        _ error: String, fix: String, _ code: ExitCode = ExitStatus.unavailable
    ) -> ExitCode {
        StandardStreams.writeError("error: \(error)\n  fix:  \(fix)\n")
        return code
    }

    // MARK: - Asking

    /// Reads to the end of the stream; gives the last line.
    private static func answer(
        from socket: Int32, _ line: (Substring) -> Void
    ) throws(Errno) -> String {
        var last = ""
        var text: [UInt8] = []
        var isHead = true
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 16 << 10, alignment: 8)
        defer { buffer.deallocate() }
        while true {
            let count = try System.read(socket, buffer)
            if count == 0 { return last }
            text += buffer[..<count]
            while let end = text.firstIndex(of: UInt8(ascii: "\n")) {
                let bytes = text[..<end].filter { $0 != UInt8(ascii: "\r") }
                text.removeFirst(end + 1)
                if isHead {
                    isHead = !bytes.isEmpty
                } else {
                    last = String(decoding: bytes, as: UTF8.self)
                    line(last[...])
                }
            }
        }
    }

    /// Percent-encoded but for what needs no care.
    private static func escaped(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            if Character(UnicodeScalar(byte)).isASCIIWord {
                bytes.append(byte)
            } else {
                bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension Character {
    fileprivate var isASCIIWord: Bool { isASCII && (isLetter || isNumber) || "-._".contains(self) }
}

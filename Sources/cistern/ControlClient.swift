import ArgumentParser
import Configuration
import Linux

/// Speaks to the running daemon by its unix socket, as `cistern verify` and its like do.
struct ControlClient {
    let configuration: Configuration

    /// Sends a command and hands on each line of the answer; gives the last one.
    ///
    /// Ends with 69 if no daemon answers there.
    func run(
        _ method: String, _ path: String, _ parameters: [(String, String)],
        line: (Substring) -> Void
    ) throws -> String {
        let query = parameters.map { "\($0)=\(Self.escaped($1))" }.joined(separator: "&")
        let target = query.isEmpty ? path : "\(path)?\(query)"
        var last = ""
        do throws(Errno) {
            let socket = try System.connectUnix(configuration.adminSocket)
            try Self.write(
                socket.raw, "\(method) \(target) HTTP/1.0\r\nHost: localhost\r\n\r\n")
            var text: [UInt8] = []
            var isHead = true
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 16 << 10, alignment: 8)
            defer { buffer.deallocate() }
            while true {
                let count = try System.read(socket.raw, buffer)
                if count == 0 { break }
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
        } catch {
            StandardStreams.writeError(
                """
                error: no daemon answers at \(configuration.adminSocket): \(error)
                  fix:  start it, or name its configuration by -c

                """)
            throw ExitStatus.unavailable
        }
        return last
    }

    private static func write(_ fd: Int32, _ text: String) throws(Errno) {
        let bytes = Array(text.utf8)
        var offset = 0
        while offset < bytes.count {
            let start = offset
            offset += try bytes.withUnsafeBufferPointer { (buffer) throws(Errno) -> Int in
                try System.write(
                    fd, UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: buffer[start...])))
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

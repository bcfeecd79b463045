import Access
import ArgumentParser
import Glibc
import Linux

/// A new password: typed twice without being shown, or a line of standard input.
enum PasswordInput {
    private static let bytesMax = 4096

    /// A password that bcrypt reads to its end and every client can send.
    static func read(fromStandardInput: Bool) throws -> [UInt8] {
        guard !fromStandardInput else { return try checked(try line()) }
        guard isatty(0) == 1 else {
            throw AccessFile.failure(
                "there is no terminal to ask for the password",
                fix: "--password-stdin < FILE, or --generate", ExitStatus.usage)
        }
        let first = try typed("Password: ")
        let second = try typed("Once more: ")
        guard first == second else {
            throw AccessFile.failure("the two are not the same", fix: "once more", .failure)
        }
        return try checked(first)
    }

    private static func typed(_ prompt: String) throws -> [UInt8] {
        StandardStreams.writeError(prompt)
        var shown = termios()
        let isKnown = tcgetattr(0, &shown) == 0
        var hidden = shown
        hidden.c_lflag &= ~tcflag_t(ECHO)
        if isKnown { tcsetattr(0, TCSAFLUSH, &hidden) }
        defer {
            if isKnown { tcsetattr(0, TCSAFLUSH, &shown) }
            StandardStreams.writeError("\n")
        }
        return try line()
    }

    /// One line, byte by byte, so that nothing behind it is lost.
    private static func line() throws -> [UInt8] {
        var bytes: [UInt8] = []
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1, alignment: 1)
        defer { buffer.deallocate() }
        while bytes.count < bytesMax, try System.read(0, buffer) == 1, buffer[0] != 10 {
            bytes.append(buffer[0])
        }
        if bytes.last == 13 { bytes.removeLast() }
        return bytes
    }

    private static func checked(_ password: [UInt8]) throws -> [UInt8] {
        let bytesMax = PasswordHash.passwordBytesMax
        guard !password.isEmpty, password.count <= bytesMax,
            password.allSatisfy({ $0 >= 0x20 && $0 != 0x7f })
        else {
            throw AccessFile.failure(
                "a password has 1 to \(bytesMax) bytes and no control characters",
                fix: "another one; --generate makes one", ExitStatus.usage)
        }
        return password
    }
}

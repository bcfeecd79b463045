import Glibc
import Linux

/// A slice of a file into a TCP connection whose other end drops it uncopied.
final class SendfileBenchmark: Benchmark {
    static let name = "sendfile"
    static let operation = "a slice of 256 KiB from page cache to loopback, dropped there"
    static let bytes = 256 << 10

    private static let slices = 64

    private let file: FileDescriptor
    private let connection: LoopbackConnection
    private var turn = 0

    init(_ scratch: Scratch) throws {
        let file = try System.open(scratch.file("slices"), O_RDWR | O_CREAT)
        let slice = [UInt8](repeating: 0x5a, count: Self.bytes)
        for number in 0..<Self.slices {
            try slice.withUnsafeBytes {
                try System.pwriteAll(file.raw, $0, at: Int64(number * Self.bytes))
            }
        }
        self.file = file
        connection = try LoopbackConnection()
    }

    func run() throws -> Int {
        turn = (turn + 1) % Self.slices
        let begin = Int64(turn * Self.bytes)
        var sent = 0
        while sent < Self.bytes {
            let transferred = try System.sendfile(
                to: connection.near.raw, from: file.raw, offset: begin + Int64(sent),
                count: Self.bytes - sent)
            switch transferred {
            case .bytes(0): throw Unexpected("the file is too short")
            case .bytes(let count): sent += count
            case .wouldBlock: try connection.waitForRoom()
            }
            try connection.drop()
        }
        return sent
    }
}

import CSimulation

/// An answer as it comes in, piece by piece; knows by its framing alone when it is complete.
struct SimulatedResponse {
    private enum Framing: Equatable {
        case none
        case length(Int)
        case chunked, untilClose
    }

    private(set) var status = 0
    private(set) var fields: [String: String] = [:]
    private(set) var body: [UInt8] = []
    private(set) var isComplete = false
    /// What no server may send.
    private(set) var isMalformed = false
    private var framing: Framing?
    private var chunkLeft: Int?
    private let isHead: Bool

    init(toHead isHead: Bool) {
        self.isHead = isHead
    }

    var hasHead: Bool { framing != nil }
    var closes: Bool { fields["connection"] == "close" || framing == .untilClose }

    func number(_ field: String) -> Int? { fields[field].flatMap { Int($0) } }

    /// Takes what belongs to this answer off `input`.
    mutating func take(_ input: inout [UInt8]) {
        if framing == nil { takeHead(&input) }
        guard let framing, !isComplete else { return }
        switch framing {
        case .none: isComplete = true
        case .length(let length):
            takeBody(min(length - body.count, input.count), &input)
            isComplete = body.count == length
        case .untilClose: takeBody(input.count, &input)
        case .chunked: takeChunks(&input)
        }
    }

    /// The other end closed.
    mutating func end() {
        if framing == .untilClose { isComplete = true }
    }

    private mutating func takeBody(_ count: Int, _ input: inout [UInt8]) {
        guard count > 0 else { return }
        body.append(contentsOf: input[..<count])
        input.removeFirst(count)
    }

    private mutating func takeHead(_ input: inout [UInt8]) {
        guard let end = Self.find("\r\n\r\n", in: input) else { return }
        let lines = String(decoding: input[..<end], as: UTF8.self).split(separator: "\r\n")
        input.removeFirst(end + 4)
        status = lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else {
                isMalformed = true
                continue
            }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            fields[line[..<colon].lowercased()] = String(value)
        }
        if isHead || status == 304 || status == 204 {
            framing = Framing.none
        } else if fields["transfer-encoding"] == "chunked" {
            framing = .chunked
        } else {
            framing = number("content-length").map { .length($0) } ?? .untilClose
        }
        if !(200..<600).contains(status) { isMalformed = true }
    }

    private mutating func takeChunks(_ input: inout [UInt8]) {
        while !isComplete {
            guard let left = chunkLeft else {
                guard let end = Self.find("\r\n", in: input) else { return }
                let size = Int(String(decoding: input[..<end], as: UTF8.self), radix: 16)
                guard let size, size >= 0 else {
                    isMalformed = true
                    return
                }
                // Its own line end, and that of the last chunk's empty trailer.
                guard input.count >= end + 2 + (size == 0 ? 2 : 0) else { return }
                input.removeFirst(end + 2 + (size == 0 ? 2 : 0))
                isComplete = size == 0
                chunkLeft = size
                continue
            }
            if left > 0 {
                let count = min(left, input.count)
                guard count > 0 else { return }
                takeBody(count, &input)
                chunkLeft = left - count
            } else {
                guard input.count >= 2 else { return }
                input.removeFirst(2)
                chunkLeft = nil
            }
        }
    }

    private static func find(_ text: String, in input: [UInt8]) -> Int? {
        let found = input.withUnsafeBytes { csimulation_find($0.baseAddress, $0.count, text) }
        return found < 0 ? nil : Int(found)
    }
}

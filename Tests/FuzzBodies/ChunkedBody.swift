import HTTP

/// Chunked bodies: the same body and end however the bytes arrive, and never more than came.
enum ChunkedBody {
    struct Outcome: Equatable {
        var body: [UInt8] = []
        var consumed = 0
        var isFinished = false
        var error: RequestError?
    }

    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        let whole = decode([bytes[...]])
        try demand(whole.consumed <= bytes.count, "consumed more than there was")
        try demand(whole.body.count <= bytes.count, "a body out of nothing")
        let stride = max(1, bytes.count / 32)
        for cut in Swift.stride(from: 0, to: bytes.count, by: stride) {
            let outcome = decode([bytes[..<cut], bytes[cut...]])
            try demand(outcome == whole, "cut at \(cut): \(outcome), at once: \(whole)")
        }
        if bytes.count < 1000 {
            try demand(decode(bytes.indices.map { bytes[$0...$0] }) == whole, "byte by byte")
        }
        guard whole.isFinished else { return }
        var again = whole
        let size = whole.body.isEmpty ? "" : "\(String(whole.body.count, radix: 16))\r\n"
        let written = Array(size.utf8) + whole.body + (size.isEmpty ? [] : Array("\r\n".utf8))
        let complete = written + Array("0\r\n\r\n".utf8)
        again.consumed = complete.count
        try demand(decode([complete[...]]) == again, "written again")
    }

    /// Feeds pieces one after another, as a connection does; what a step leaves is fed again.
    private static func decode(_ pieces: [ArraySlice<UInt8>]) -> Outcome {
        var decoder = ChunkedDecoder()
        var outcome = Outcome()
        for piece in pieces {
            var rest = Array(piece)
            while !rest.isEmpty, !decoder.isFinished {
                let step: ChunkedDecoder.Step
                switch rest.withUnsafeBytes({ Self.step(&decoder, $0) }) {
                case .success(let found): step = found
                // How far it got does not count: the connection is closed.
                case .failure(let error): return Outcome(body: outcome.body, error: error)
                }
                outcome.body += rest[step.body]
                outcome.consumed += step.consumed
                if step.consumed == 0 { break }
                rest.removeFirst(step.consumed)
            }
        }
        outcome.isFinished = decoder.isFinished
        if decoder.bodyBytes != outcome.body.count { outcome.body = [] }
        return outcome
    }

    private static func step(
        _ decoder: inout ChunkedDecoder, _ bytes: UnsafeRawBufferPointer
    ) -> Result<ChunkedDecoder.Step, RequestError> {
        do throws(RequestError) {
            return .success(try decoder.decode(bytes))
        } catch {
            return .failure(error)
        }
    }
}

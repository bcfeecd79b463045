/// Sends a `ResponsePlan` over a socket, faults and all.
struct ResponseWriter {
    /// What becomes of the connection.
    enum Outcome { case keep, close, reset }

    let socket: TestSocket
    let plan: ResponsePlan
    let isHead: Bool
    /// Opened when the server stops, so that nothing waits longer.
    let stopped: Gate
    /// Told of body bytes as they go out.
    let sent: (Int) -> Void

    /// Sends head and body.
    func write() throws -> Outcome {
        if let gate = plan.headGate { waitFor(gate) }
        if plan.isDropped { return .close }
        if plan.hasEndlessHeaders { return try writeEndlessHeaders() }
        try socket.send(head(), more: !isHead && !plan.range.isEmpty)
        if isHead { return plan.closes ? .close : .keep }
        return try writeBody()
    }

    private func head() -> String {
        var text = "HTTP/1.1 \(plan.status) \(plan.reason)\r\n"
        for field in plan.fields { text += "\(field.name): \(field.value)\r\n" }
        let hasNoBody = plan.status == 304 || plan.status == 204
        switch plan.framing {
        case .length where !hasNoBody:
            let length = plan.announcedLength ?? Int64(plan.range.count)
            text += "Content-Length: \(length)\r\n"
        case .chunked where !isHead: text += "Transfer-Encoding: chunked\r\n"
        case .close where !isHead: text += "Connection: close\r\n"
        default: break
        }
        if plan.closes, plan.framing != .close { text += "Connection: close\r\n" }
        return text + "\r\n"
    }

    private func writeEndlessHeaders() throws -> Outcome {
        try socket.send("HTTP/1.1 200 OK\r\n")
        let line = "X-Endless: " + String(repeating: "a", count: 1000) + "\r\n"
        for _ in 0..<100_000 where !stopped.isOpen { try socket.send(line) }
        return .close
    }

    private func writeBody() throws -> Outcome {
        var position = plan.range.lowerBound
        for stop in stops() {
            try writeRange(position..<stop)
            position = stop
            if let stall = plan.stall, stall.at == stop { waitFor(stall.gate) }
            if let cut = plan.cut, cut.at == stop { return cut.how == .fin ? .close : .reset }
        }
        try writeRange(position..<plan.range.upperBound)
        if plan.extraBytes > 0 {
            try writePiece(Array(repeating: 0x2A, count: plan.extraBytes))
        }
        if plan.framing == .chunked { try socket.send("0\r\n\r\n") }
        let isShort = plan.announcedLength.map { $0 != Int64(plan.range.count) } ?? false
        let closes = plan.framing == .close || plan.closes || isShort || plan.extraBytes > 0
        return closes ? .close : .keep
    }

    /// Offsets at which something happens, in order, inside the range that is sent.
    private func stops() -> [Int64] {
        let wanted = [plan.cut?.at, plan.stall?.at].compactMap { $0 }
        let clamped = wanted.filter { plan.range.lowerBound <= $0 && $0 <= plan.range.upperBound }
        return Set(clamped).sorted()
    }

    private func writeRange(_ range: Range<Int64>) throws {
        if range.isEmpty { return }
        if plan.flips.contains(where: range.contains) || plan.bytesPerSecond != nil {
            return try writeSlowly(range)
        }
        try plan.body.forEachPiece(in: range) { try writePiece($0) }
    }

    /// For bodies with flipped bytes or a limited rate: copies, changes, sends.
    private func writeSlowly(_ range: Range<Int64>) throws {
        let step = Int64(plan.bytesPerSecond.map { max(1, $0 / 20) } ?? 1 << 20)
        var position = range.lowerBound
        while position < range.upperBound {
            let part = position..<min(position + step, range.upperBound)
            var bytes = plan.body.bytes(in: part)
            for flip in plan.flips where part.contains(flip) {
                bytes[Int(flip - part.lowerBound)] ^= 0xFF
            }
            try writePiece(bytes)
            position = part.upperBound
            if plan.bytesPerSecond != nil, stopped.pass(within: .milliseconds(50)) { return }
        }
    }

    private func writePiece(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { try writePiece($0) }
    }

    private func writePiece(_ bytes: UnsafeRawBufferPointer) throws {
        if plan.framing == .chunked {
            try socket.send(String(bytes.count, radix: 16) + "\r\n", more: true)
            try socket.send(bytes, more: true)
            try socket.send("\r\n")
        } else {
            try socket.send(bytes)
        }
        sent(bytes.count)
    }

    private func waitFor(_ gate: Gate) {
        // Either the test opens the gate or the server stops; whichever comes first.
        gate.arrive()
        while !gate.isOpen, !stopped.isOpen { gate.waitBriefly() }
    }
}

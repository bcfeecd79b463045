/// A small HTTP/1.1 server on loopback: a thread per connection, answers by a closure.
package final class LoopbackServer: Sendable {
    package let address: String
    private let respond: @Sendable (WireRequest) -> ResponsePlan
    private let state = Monitor(Running())
    private let bodyBytes = Monitor<Int64>(0)

    private struct Running {
        var port: UInt16 = 0
        var listener: TestSocket?
        var connections: [Int: TestSocket] = [:]
        var accepted = 0
        var threads = 0
        var stopped = Gate()
        var isAccepting = false

        mutating func shutDown() {
            stopped.open()
            // The accepting thread closes the listener: a number closed here could be reused.
            listener?.shutDown()
            listener = nil
            for socket in connections.values { socket.shutDown() }
        }
    }

    /// Starts at once on a free port of `address`.
    package init(
        address: String = "127.0.0.1", respond: @escaping @Sendable (WireRequest) -> ResponsePlan
    ) throws {
        self.address = address
        self.respond = respond
        try start()
    }

    deinit { state.with { $0.shutDown() } }

    package var port: UInt16 { state.read { $0.port } }
    /// `http://address:port`.
    package var url: String { "http://\(address):\(port)" }
    /// Connections accepted so far.
    package var connectionCount: Int { state.read { $0.accepted } }
    /// Body bytes handed to the kernel so far.
    package var bodyBytesSent: Int64 { bodyBytes.read { $0 } }

    /// Waits until that many body bytes went out.
    @discardableResult
    package func awaitBodyBytes(_ count: Int64, within limit: Duration = .seconds(60)) -> Bool {
        bodyBytes.wait(limit) { $0 >= count }
    }

    /// Listens, on the same port as before if there was one.
    package func start() throws {
        let (listener, port) = try TestSocket.listen(address, state.read { $0.port })
        state.with { running in
            running.port = port
            running.listener = listener
            running.stopped = Gate()
            running.isAccepting = true
        }
        let state = state
        ThreadStarter.start { [weak self] in
            while let socket = listener.accept() { self?.serve(socket) }
            listener.close()
            state.with { $0.isAccepting = false }
        }
    }

    /// Refuses new connections, ends running ones, and returns when all threads are done.
    package func stop() {
        state.with { $0.shutDown() }
        state.wait(.seconds(30)) { $0.threads == 0 && !$0.isAccepting }
    }

    private func serve(_ socket: TestSocket) {
        let admitted = state.with { running -> (number: Int, stopped: Gate)? in
            guard running.listener != nil else { return nil }
            running.accepted += 1
            running.threads += 1
            running.connections[running.accepted] = socket
            return (running.accepted, running.stopped)
        }
        guard let (number, stopped) = admitted else { return socket.close() }
        let (respond, state, bodyBytes) = (respond, state, bodyBytes)
        ThreadStarter.start {
            converse(socket, stopped, respond) { count in bodyBytes.with { $0 += Int64(count) } }
            state.with { running in
                running.connections[number] = nil
                running.threads -= 1
            }
            socket.close()
        }
    }
}

/// Answers requests on one connection until it ends.
private func converse(
    _ socket: TestSocket, _ stopped: Gate,
    _ respond: (WireRequest) -> ResponsePlan, _ sent: @escaping (Int) -> Void
) {
    let reader = SocketReader(socket, bufferSize: 16 * 1024)
    while !stopped.isOpen {
        guard var request = try? WireRequest.read(from: reader) else { return }
        if let text = request["Content-Length"], let length = Int(text), length > 0 {
            request.body = (try? reader.exactly(length)) ?? []
        }
        let writer = ResponseWriter(
            socket: socket, plan: respond(request), isHead: request.method == "HEAD",
            stopped: stopped, sent: sent)
        switch try? writer.write() {
        case .keep: continue
        case .close: return socket.finishSending()
        case .reset, nil: return socket.reset()
        }
    }
}

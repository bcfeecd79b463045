import HTTP
import Linux
import Reactor
import Telemetry

/// One client's connection: a straight line of read, answer, write, next.
///
/// Not Sendable: it lives on its loop, in one task. The loop only sets its end in motion.
///
/// | what ends it                                    | how                            |
/// |-------------------------------------------------|--------------------------------|
/// | client closes, idle or header time passes       | closed                         |
/// | refused request, body left unread, `closes`     | answer, FIN, drop input, closed |
/// | body cut by its source                          | FIN, drop input, closed        |
/// | client gone or takes nothing                    | closed                         |
final class Connection {
    /// Pipelined requests answered before other connections get their turn.
    private static let requestsPerTurnMax = 16

    /// Its place in the order of the loop's connections.
    let number: UInt64
    let listener: Listener
    let state: ServerLoop
    let socket: ClientSocket
    let input: InputBuffer
    let handler: any RequestHandler
    let peer: String
    let accepted: Instant
    private(set) var requests = 0
    private var requestsInTurn = 0
    /// Since when it waits for a request of which nothing has come; nil while it is busy.
    private(set) var idleSince: Instant?
    /// Since when it may be sending a head: accept, or a later head's first byte; nil otherwise.
    var headSince: Instant?
    /// No further request after the one being served: drain, or room is needed.
    private(set) var isEnding = false
    /// Until when a first request is waited for although the connection is ending.
    private(set) var lastChance: Instant?
    /// Room is needed, and this one has not said what it wants.
    private(set) var isGivenUp = false
    /// The host that was found served last: clients repeat it in every request.
    private var servedHost: String?

    private init(
        _ socket: ClientSocket, peer: String, listener: Listener, handler: any RequestHandler,
        in state: ServerLoop
    ) {
        self.socket = socket
        self.peer = peer
        self.listener = listener
        self.handler = handler
        self.state = state
        input = InputBuffer(pool: state.blocks, bytesMax: state.limits.inputBytesMax)
        accepted = state.loop.now
        number = state.nextConnectionNumber()
    }

    /// Serves the accepted descriptor `raw` until its connection ends, and closes it.
    static func serve(
        _ raw: Int32, peer: SocketAddress, address: ConnectionLedger.Address, listener: Listener,
        handler: any RequestHandler, in state: ServerLoop
    ) async {
        listener.connectionOpened()
        // First of all: whoever waits for the end of a drain finds nothing open after it.
        func uncount() {
            (listener.ownLedger ?? state.ledger).release(address)
            listener.connectionClosed()
        }
        guard let socket = try? ClientSocket(owning: raw, in: state) else {
            uncount()
            return state.neverOpened()
        }
        let connection = Connection(
            socket, peer: peer.host, listener: listener, handler: handler, in: state)
        connection.headSince = connection.accepted
        state.opened(connection)
        await connection.run()
        await socket.endStream(within: connection.lingerTime)
        socket.close()
        uncount()
        state.closed(connection)
    }

    // MARK: - What others set in motion

    /// Ends the connection now if it is idle, else after the current answer.
    ///
    /// The first request of a connection may be on its way: it gets `patience` to come (P13).
    func endSoon(patience: Duration = .zero) {
        isEnding = true
        if requests == 0, patience > .zero { lastChance = state.loop.now + patience }
        if idleSince != nil { socket.readiness.interruptRead() }
    }

    /// Ends a connection that waits for a head, part of one or none, to make room (RES-6).
    func giveUp() {
        isEnding = true
        isGivenUp = true
        socket.readiness.interruptRead()
    }

    /// Cuts whatever is being sent.
    func abort() {
        isEnding = true
        socket.abort()
        socket.readiness.interruptRead()
    }

    func setIdle(_ isIdle: Bool) {
        idleSince = isIdle ? state.loop.now : nil
        requestsInTurn = 0
    }

    // MARK: - Requests

    /// What happens to the connection after an answer.
    private enum Fate {
        case next
        case close
        /// FIN first, so that the client can read what was sent (RFC 9112 §9.6).
        case linger
    }

    private func run() async {
        if let context = listener.tls, await !shakeHands(context) { return }
        while true {
            let fate: Fate
            switch await nextHead() {
            case .head(let head): fate = await serve(head)
            case .repeated(let repeated): fate = await serve(repeated)
            case .refused(let error): fate = await refuse(error)
            case .ended: fate = .close
            }
            switch fate {
            case .next:
                requestsInTurn += 1
                if requestsInTurn >= Self.requestsPerTurnMax { await giveWay() }
            case .close: return
            case .linger: return await linger()
            }
        }
    }

    /// Does work in a task of its own.
    ///
    /// A task keeps the memory of its deepest calls until it ends, and most connections are idle
    /// most of the time.
    private func apart(_ work: @escaping () async -> Void) async {
        // `nonisolated(unsafe)`: one task runs after the other, both on the connection's loop.
        nonisolated(unsafe) let work = work
        await Task(executorPreference: state.loop) { await work() }.value
    }

    /// A client that pipelines without end gets no more than its turn.
    private func giveWay() async {
        requestsInTurn = 0
        await socket.endTurn()
    }

    /// For the client to notice the end.
    private var lingerTime: Duration {
        isEnding ? min(state.limits.lingerTimeout, .seconds(1)) : state.limits.lingerTimeout
    }

    func linger() async {
        await socket.endStream(within: lingerTime)
        await socket.linger(
            for: lingerTime, bytesMax: state.limits.lingerBytesMax, dropping: input)
    }

    private enum Served {
        /// At once, as most are.
        case sent(Fate)
        case started(Sending)
    }

    /// Works an answer out.
    ///
    /// Not part of `run`, which would keep room for all of this while it waits.
    @inline(never)
    private func serve(_ head: RequestHead) async -> Fate {
        var served = Served.sent(.close)
        await apart { served = await self.answer(head) }
        return await finish(served)
    }

    /// Answers as before; not part of `run` either.
    @inline(never)
    private func serve(_ repeated: Repeated) async -> Fate {
        await finish(start(repeated))
    }

    /// Sends the rest in a task of its own: however long that takes, what it took to look for the
    /// answer is not kept.
    private func finish(_ served: Served) async -> Fate {
        switch served {
        case .sent(let fate): return fate
        case .started(let sending):
            var fate = Fate.close
            await apart { fate = await self.finish(sending) }
            return fate
        }
    }

    private func answer(_ head: RequestHead) async -> Served {
        let received = state.loop.now
        requests += 1
        guard isServed(head) else {
            let error = RequestError(status: 421, reason: "host not served here")
            return .sent(await refuse(error, to: head))
        }
        var isBodyLeft = false
        var body: RequestBody?
        if head.hasBody, handler.takesBody(of: head) {
            body = RequestBody(head, of: self)
        } else if head.hasBody {
            switch await dropBody(of: head) {
            case .dropped: break
            case .left: isBodyLeft = true
            case .refused(let error): return .sent(await refuse(error, to: head))
            case .ended: return .sent(.close)
            }
        }
        let request = self.request(head, received, state.nextRequestID(), body)
        let response = await handler.respond(to: request)
        if !state.isDraining {
            let part = head.bytes.withUnsafeBytes { handler.part(of: $0) }
            state.repeated.learn(head, part, on: listener, response)
        }
        if let body {
            // Behind a body that cannot be read to its end nothing is parsed any more (HTTP-1).
            isBodyLeft = !(await body.drop(upTo: state.limits.discardedBodyBytesMax))
            body.cancel()
        }
        return start(response, to: request, isBodyLeft: isBodyLeft)
    }

    private func start(_ repeated: Repeated) -> Served {
        let (entry, part, body) = (repeated.entry, repeated.part, repeated.body)
        let received = repeated.received
        requests += 1
        let id = state.nextRequestID()
        var writer = self.writer(id, entry.head, keepsAlive: keepsAlive(entry.head))
        let rest = writer.start(again: entry, part, body)
        // Without a closure that would have to be made for each hit.
        if case .nothing = rest {
            let outcome = writer.outcome(since: received)
            entry.repetition.finished(body, part, outcome) { request(entry.head, received, id) }
            return .sent(fate(outcome, writer, entry.head))
        }
        return .started(
            Sending(writer, rest, of: entry.head, received) { [self] outcome in
                entry.repetition.finished(body, part, outcome) {
                    request(entry.head, received, id)
                }
            })
    }

    private func request(
        _ head: RequestHead, _ received: Instant, _ id: RequestID, _ body: RequestBody? = nil
    ) -> Request {
        Request(
            head: head, peer: peer, listener: listener.identity, loop: state.loop, id: id,
            received: received, body: body)
    }

    /// An answer on its way.
    ///
    /// A class: what waits for a client keeps room for each copy of it.
    private final class Sending {
        var writer: ResponseWriter
        /// What could not be sent at once.
        let rest: ResponseWriter.Rest
        let head: RequestHead
        let received: Instant
        let isBodyLeft: Bool
        let finished: ((ResponseOutcome) -> Void)?

        init(
            _ writer: ResponseWriter, _ rest: ResponseWriter.Rest, of head: RequestHead,
            _ received: Instant, isBodyLeft: Bool = false,
            finished: ((ResponseOutcome) -> Void)?
        ) {
            self.writer = writer
            self.rest = rest
            self.head = head
            self.received = received
            self.isBodyLeft = isBodyLeft
            self.finished = finished
        }
    }

    private func writer(_ id: RequestID, _ head: RequestHead, keepsAlive: Bool) -> ResponseWriter {
        ResponseWriter(
            socket, in: state, id: id, version: head.version, isHead: head.method == .head,
            keepsAlive: keepsAlive)
    }

    private func keepsAlive(_ head: RequestHead) -> Bool {
        head.keepAlive && !isEnding && requests < state.limits.requestsPerConnectionMax
    }

    private func start(
        _ response: Response, to request: Request, isBodyLeft: Bool
    ) -> Served {
        let keepsAlive = !isBodyLeft && !response.closes && self.keepsAlive(request.head)
        var writer = self.writer(request.id, request.head, keepsAlive: keepsAlive)
        let rest = writer.start(response)
        let sending = Sending(
            writer, rest, of: request.head, request.received, isBodyLeft: isBodyLeft,
            finished: response.finished)
        if case .nothing = rest { return .sent(end(sending)) }
        return .started(sending)
    }

    private func finish(_ sending: Sending) async -> Fate {
        // Slow readers hold no memory for what they may ask next.
        input.releaseIfEmpty()
        await sending.writer.finish(sending.rest)
        return end(sending)
    }

    private func end(_ sending: Sending) -> Fate {
        let outcome = sending.writer.outcome(since: sending.received)
        sending.finished?(outcome)
        return fate(outcome, sending.writer, sending.head, isBodyLeft: sending.isBodyLeft)
    }

    private func fate(
        _ outcome: ResponseOutcome, _ writer: ResponseWriter, _ head: RequestHead,
        isBodyLeft: Bool = false
    ) -> Fate {
        if let cut = outcome.cut {
            socket.cutStream()
            return fate(after: cut, writer)
        }
        if writer.keepsAlive { return .next }
        // A client that asked for the end sends no more, so there is nothing to wait for.
        return !head.keepAlive && !isBodyLeft && input.isEmpty ? .close : .linger
    }

    private func fate(after cut: ResponseOutcome.Cut, _ writer: ResponseWriter) -> Fate {
        guard cut == .source else { return .close }
        guard !writer.endsByClosing else {
            // Only a reset tells this client that the body is not whole (RFC 9112 §8).
            socket.resetOnClose()
            return .close
        }
        return .linger
    }

    /// Whether the host is one of the listener's (HTTP-6).
    private func isServed(_ head: RequestHead) -> Bool {
        guard listener.hostnames != nil, head.host != servedHost else { return true }
        guard listener.serves(hostName: head.hostName) else { return false }
        servedHost = head.host
        return true
    }

    // MARK: - Refusals

    /// Answers what is not served; nothing of the connection is parsed after it (HTTP-1).
    private func refuse(_ error: RequestError, to head: RequestHead? = nil) async -> Fate {
        let received = state.loop.now
        let id = state.nextRequestID()
        if error == .tlsHello {
            state.events.rejected(.tlsHello, listener.identity)
            try? await socket.send(Self.answerToTLS)
            return .linger
        }
        let response = handler.refuse(
            error,
            RefusalContext(
                peer: peer, listener: listener.identity, id: id))
        var writer = ResponseWriter(
            socket, in: state, id: id, version: head?.version ?? .http11,
            isHead: head?.method == .head, keepsAlive: false)
        let outcome = await writer.write(response, since: received)
        response.finished?(outcome)
        if outcome.isComplete { return .linger }
        socket.cutStream()
        return .close
    }

    /// podman, skopeo, buildah and dockerd try HTTPS first and go on to HTTP once HTTP answers
    /// (clients.md 1).
    private static let answerToTLS: [UInt8] = {
        let text = "This port speaks plain HTTP: use http://, or mark the registry as insecure.\n"
        let head = """
            HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
            Content-Length: \(text.utf8.count)\r\nConnection: close\r\n\r\n
            """
        return Array((head + text).utf8)
    }()
}

import HTTP
import Reactor
import Telemetry

/// How requests and their unwanted bodies come in.
extension Connection {
    enum Incoming {
        case head(RequestHead)
        /// One whose answer is known.
        ///
        /// Indirect: a task that waits for a request keeps room for the largest of these.
        indirect case repeated(Repeated)
        case refused(RequestError)
        /// The client has left or has let the time pass.
        case ended
    }

    /// A request like one that came before, and what it is answered with.
    struct Repeated {
        let entry: RepeatedRequests.Entry
        let part: HeadPart?
        let body: Body
        let received: Instant
    }

    enum DroppedBody {
        case dropped
        /// Too long, or held back by the client: the connection ends after the answer.
        case left
        case refused(RequestError)
        case ended
    }

    enum Filled {
        case received
        case ended
        case timedOut
    }

    /// Waits for the next request's head; the connection holds no buffer while nothing has come.
    func nextHead() async -> Incoming {
        var parser = RequestParser(limits: state.limits.parser)
        let start = requests == 0 ? accepted : state.loop.now
        // The first head's time runs from accept; later ones may take the idle time to begin.
        var isWaiting = requests > 0 && input.isEmpty
        var deadline =
            start + (isWaiting ? state.limits.idleTimeout : state.limits.headerTimeout)
        headSince = isWaiting ? nil : start
        defer { headSince = nil }
        while true {
            if let repeated = takeRepeated() { return repeated }
            do throws(RequestError) {
                if let head = try parse(&parser) { return .head(head) }
            } catch {
                return .refused(error)
            }
            if input.isFull { return .refused(.headersTooLarge) }
            switch await fill(by: deadline, mayBeIdle: true) {
            case .received: break
            case .ended: return .ended
            case .timedOut:
                if !input.isEmpty { state.events.rejected(.headerTimeout, listener.identity) }
                return .ended
            }
            if isWaiting {
                isWaiting = false
                headSince = state.loop.now
                deadline = state.loop.now + state.limits.headerTimeout
            }
        }
    }

    /// Takes the request out of the input if it is one that was answered before, whose answer still
    /// holds, and nothing else.
    ///
    /// Never inlined: its variables would become part of what every idle connection keeps.
    @inline(never)
    private func takeRepeated() -> Incoming? {
        if input.isEmpty { return nil }
        guard let repeated = input.withBytes({ findRepeated($0) }) else { return nil }
        input.consume(input.count)
        return .repeated(repeated)
    }

    private func findRepeated(_ bytes: UnsafeRawBufferPointer) -> Repeated? {
        let received = state.loop.now
        let place = handler.part(of: bytes)
        guard let entry = state.repeated.find(bytes, place, on: listener) else { return nil }
        let part = place.map { HeadPart(bytes[$0]) }
        guard let body = entry.repetition.again(part) else {
            // Of others of its kind it may still hold.
            if part == nil || entry.repetition.isOver { state.repeated.forget(entry) }
            return nil
        }
        return Repeated(entry: entry, part: part, body: body, received: received)
    }

    private func parse(_ parser: inout RequestParser) throws(RequestError) -> RequestHead? {
        if input.isEmpty { return nil }
        let parsed = try input.withBytes { (bytes) throws(RequestError) in
            try parser.parse(bytes)
        }
        guard let parsed else { return nil }
        input.consume(parsed.consumed)
        return parsed.head
    }

    /// Receives something, waiting until `deadline`.
    func fill(by deadline: Instant, mayBeIdle: Bool) async -> Filled {
        while true {
            if socket.readiness.isReadable || isEnding {
                switch socket.receive(into: input) {
                case .bytes: return .received
                case .ended: return .ended
                case .nothingYet: break
                }
            }
            input.releaseIfEmpty()
            let isIdle = mayBeIdle && input.isEmpty
            if isOver(whileIdle: isIdle) { return .ended }
            if isIdle { setIdle(true) }
            let bound = isIdle ? min(deadline, lastChance ?? deadline) : deadline
            let outcome = await socket.untilReceivable(by: bound)
            setIdle(false)
            if outcome == .timedOut && (!isEnding || state.loop.now >= bound) {
                return .timedOut
            }
        }
    }

    /// Whether nothing more is to be waited for.
    func isOver(whileIdle isIdle: Bool) -> Bool {
        if socket.isAborted || isGivenUp { return true }
        guard isEnding, isIdle else { return false }
        return lastChance.map { $0 <= state.loop.now } ?? true
    }

    /// Reads and drops the body of a request that nobody wants, as far as that is worth the
    /// connection; its framing is checked before the answer (HTTP-1).
    func dropBody(of head: RequestHead) async -> DroppedBody {
        let body = RequestBody(head, of: self)
        if await body.drop(upTo: state.limits.discardedBodyBytesMax) { return .dropped }
        switch body.failure {
        case .malformed(let error): return .refused(error)
        case .clientGone, .tooSlow: return .ended
        case .over, nil: return .left
        }
    }

    /// 30 s and a second per KiB that has come: slower than that is no honest upload (RES-5).
    func bodyDeadline(_ started: Instant, _ received: Int) -> Instant {
        started + state.limits.bodyTimeout + .seconds(received >> 10)
    }
}

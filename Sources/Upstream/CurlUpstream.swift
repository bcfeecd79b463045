import HTTP
import OCI
package import Reactor

/// One upstream registry over libcurl: an actor that lives on an event loop.
///
/// Owns one connection pool (CRED-2), the tokens, and what it learnt about how this upstream asks
/// for credentials. `send` is a straight line: slot, credential, exchange, redirect or challenge,
/// again, answer.
package actor CurlUpstream: UpstreamClient {
    /// Tokens asked for in answer to challenges within one `send` (CRED-8): the first, and one more
    /// when that is refused although fresh.
    private static let answersMax = 2

    package nonisolated let loop: EventLoop
    package nonisolated let settings: UpstreamSettings
    let builder: RequestBuilder
    let authentication: Authentication
    let pool: TransferPool
    var tokens: TokenCache
    /// Tickets of those who wait for a token that is being asked for.
    var tokenWaiters: [TokenKey: [UInt64]] = [:]
    var remembered: RememberedChallenge?
    /// Nothing is sent any more.
    private var isOff = false

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        loop.asUnownedSerialExecutor()
    }

    /// Makes a client; nothing is connected yet.
    ///
    /// - Throws: `connect` when libcurl cannot be initialised.
    package init(
        _ settings: UpstreamSettings, loop: EventLoop, events: UpstreamEvents = UpstreamEvents()
    ) throws(UpstreamError) {
        guard let pool = TransferPool(settings, events: events, loop: loop) else {
            throw .connect(host: settings.base.host, detail: "libcurl cannot be initialised")
        }
        self.loop = loop
        self.settings = settings
        self.pool = pool
        builder = RequestBuilder(settings: settings)
        authentication = Authentication(
            base: settings.base, realms: settings.realms, access: settings.access)
        tokens = TokenCache(entriesMax: settings.limits.tokensMax)
    }

    // libcurl's clean-up speaks to the loop, so it must happen on it.
    isolated deinit {}

    package func send(_ request: UpstreamRequest) async throws(UpstreamError) -> UpstreamResponse {
        let deadline = min(
            loop.now + settings.timeouts.headers, request.deadline ?? .endOfTime)
        let claim = SlotQueue.Claim(
            client: Requester.client, isPassThrough: request.isPassThrough)
        return try await converse(
            Conversation(
                request, builder, hopsMax: settings.limits.redirectsMax), by: deadline,
            holding: claim)
    }

    /// Sends what only commands send: a request for a list of everything, or a push.
    ///
    /// A 401 that comes when a streamed body has been taken is handed on: its credential is
    /// forgotten, and the caller begins again.
    package func send(_ call: RegistryCall) async throws(UpstreamError) -> UpstreamResponse {
        let patience = call.patience ?? settings.timeouts.firstByte
        let deadline =
            if case .stream = call.body { Instant.endOfTime } else {
                loop.now + max(settings.timeouts.headers, patience)
            }
        let claim = SlotQueue.Claim(client: Requester.client, isPassThrough: false)
        return try await converse(
            Conversation(call, builder, hopsMax: settings.limits.redirectsMax), by: deadline,
            holding: claim)
    }

    /// Ends all that runs with `offline` and sends nothing from now on.
    func turnOff() {
        isOff = true
        pool.endAll(.offline)
    }

    private func takeSlot(
        _ claim: SlotQueue.Claim, by deadline: Instant
    ) async throws(UpstreamError) {
        switch pool.requestSlot(claim) {
        case .admitted: return
        case .full: throw .overloaded
        case .mustWait(let ticket):
            let wait = min(settings.timeouts.queue, deadline - loop.now)
            try await suspend(ticket, for: wait, else: .queue).get()
        }
    }

    /// Exchanges until the upstream has said its last word, in a slot that goes with the
    /// response's transfer.
    private func converse(
        _ conversation: Conversation, by deadline: Instant, holding claim: SlotQueue.Claim
    ) async throws(UpstreamError) -> UpstreamResponse {
        try await takeSlot(claim, by: deadline)
        do {
            return try await exchanges(conversation, by: deadline, holding: claim)
        } catch {
            pool.releaseSlot(claim)
            throw error
        }
    }

    private func exchanges(
        _ conversation: Conversation, by deadline: Instant, holding claim: SlotQueue.Claim
    ) async throws(UpstreamError) -> UpstreamResponse {
        let name = conversation.name
        var chain = conversation.chain
        // Tokens are got within their own bound, however long the request itself may take.
        let tokenDeadline = min(deadline, loop.now + settings.timeouts.headers)
        var credential =
            conversation.showsLogin && settings.credentials != nil
            ? .basic
            : try await foreseenCredential(
                for: name, reading: conversation.origin, by: tokenDeadline)
        var answersLeft = Self.answersMax
        while true {
            let plan = plan(conversation, at: chain, with: credential, by: deadline)
            let transfer = try await exchange(plan, isElsewhere: !chain.mayAuthenticate)
            let head = transfer.head
            if head.isRedirect {
                pool.forget(transfer)
                guard conversation.mayBeRedirected else {
                    throw .refusedRedirect("only manifests and blobs may be elsewhere")
                }
                try chain.follow(location: head["location"])
                continue
            }
            guard head.status == 401, chain.mayAuthenticate else {
                var response = try respond(
                    to: conversation, from: transfer, at: chain.url, holding: claim)
                response.isFromElsewhere = !chain.mayAuthenticate
                return response
            }
            pool.forget(transfer)
            let refused = credential
            credential = nil
            if answersLeft > 0 {
                credential = try await answer(
                    head.fields["www-authenticate"] ?? [], for: name, after: refused,
                    by: min(deadline, loop.now + settings.timeouts.headers))
            }
            guard credential != nil, conversation.isRepeatable else {
                // With a credential for the next time nothing is refused for good.
                return finallyRefused(credential == nil ? refused : nil, head, claim)
            }
            answersLeft -= 1
        }
    }

    private func plan(
        _ conversation: Conversation, at chain: RedirectChain, with credential: Credential?,
        by deadline: Instant
    ) -> ExchangePlan {
        var fields = conversation.fields
        if chain.mayAuthenticate, let line = headerLine(for: credential) { fields.append(line) }
        return ExchangePlan(
            kind: chain.hasMoved ? .redirect : .registry, method: conversation.method,
            url: chain.url, fields: fields, deadline: deadline,
            body: conversation.body(now: loop.now), patience: conversation.patience)
    }

    /// The same, with failures marked that are not the upstream's own.
    private func exchange(
        _ plan: ExchangePlan, isElsewhere: Bool
    ) async throws(UpstreamError) -> Transfer {
        do throws(UpstreamError) {
            return try await exchange(plan)
        } catch {
            switch error {
            case .cancelled, .refusedAddress, .offline: throw error
            default: throw isElsewhere ? .elsewhere(error) : error
            }
        }
    }

    /// Carries out one exchange up to its head.
    ///
    /// What a pooled connection gives instead of a head may be left over from the response before:
    /// then a request that only reads is sent once more on a connection of its own (RFC 9112
    /// §9.3.1).
    func exchange(_ plan: ExchangePlan) async throws(UpstreamError) -> Transfer {
        var plan = plan
        plan.mayUsePool = true
        do throws(ExchangeFailure) {
            return try await exchangeOnce(plan)
        } catch {
            // What changes something may have done so by now.
            guard error.isPerhapsLeftover, plan.method.isSafe else { throw error.error }
        }
        plan.mayUsePool = false
        do throws(ExchangeFailure) {
            return try await exchangeOnce(plan)
        } catch {
            throw error.error
        }
    }

    private struct ExchangeFailure: Error {
        let error: UpstreamError
        var wasPooled = false

        var isPerhapsLeftover: Bool {
            guard wasPooled else { return false }
            switch error {
            case .reset, .badResponse: return true
            default: return false
            }
        }
    }

    private func exchangeOnce(_ plan: ExchangePlan) async throws(ExchangeFailure) -> Transfer {
        guard !isOff else { throw ExchangeFailure(error: .offline) }
        guard plan.deadline > loop.now else {
            throw ExchangeFailure(error: .timeout(.headers))
        }
        guard let transfer = pool.begin(plan) else {
            throw ExchangeFailure(
                error: .connect(host: plan.url.host, detail: "out of memory"))
        }
        if let source = plan.body?.source {
            loop.spawn { [id = transfer.id] in await self.feed(id, from: source) }
        }
        if !transfer.isHeadKnown {
            let ticket = pool.waiters.ticket()
            transfer.awaitHead(ticket)
            // The transfer has timers of its own.
            if case .failure(let error) = await suspend(ticket, for: nil, else: .headers) {
                pool.cancel(transfer)
                throw ExchangeFailure(error: error)
            }
        }
        if !transfer.reader.isComplete, case .failure(let error) = transfer.outcome {
            pool.forget(transfer)
            throw ExchangeFailure(error: error, wasPooled: transfer.wasPooled)
        }
        return transfer
    }

    private func respond(
        to conversation: Conversation, from transfer: Transfer, at url: RemoteURL,
        holding claim: SlotQueue.Claim
    ) throws(UpstreamError) -> UpstreamResponse {
        do {
            let response = try response(to: conversation, from: transfer, at: url)
            if transfer.outcome == nil {
                transfer.slot = claim
            } else {
                pool.releaseSlot(claim)
            }
            return response
        } catch {
            pool.cancel(transfer)
            throw error
        }
    }

    private func response(
        to conversation: Conversation, from transfer: Transfer, at url: RemoteURL
    ) throws(UpstreamError) -> UpstreamResponse {
        let head = transfer.head
        guard !(300...399).contains(head.status) else {
            throw .badResponse("status \(head.status) that nobody asked for")
        }
        var response = UpstreamResponse(
            status: head.status, contentType: head["content-type"],
            contentLength: head.contentLength,
            contentRange: try head.contentRange(offset: conversation.offset),
            digest: try head.digest(isManifest: conversation.isManifest),
            etag: head["etag"], next: builder.next(in: head.fields["link"], of: url),
            retryAfter: head.retryAfter(wallSeconds: loop.clock.dateSeconds),
            rateLimit: head.rateLimit, cacheStatus: head["cache-status"],
            body: CurlBody(self, id: transfer.id))
        response.location = head["location"]
        response.subject = head["oci-subject"]
        return response
    }

    /// Answers with the registry's 401, and believes it for a while if a token was refused.
    private func finallyRefused(
        _ credential: Credential?, _ head: UpstreamHead, _ claim: SlotQueue.Claim
    ) -> UpstreamResponse {
        if case .token(let token, let key) = credential {
            tokens.drop(token, for: key)
            tokens.deny(key, status: head.status, at: loop.now)
        }
        pool.releaseSlot(claim)
        return UpstreamResponse(
            status: head.status, contentType: head["content-type"], contentLength: 0)
    }
}

// MARK: - Bodies

extension CurlUpstream {
    /// Waits for more of a body; its only consumer calls this.
    func nextChunk(of id: UInt64) async -> Result<Chunk?, UpstreamError> {
        while let transfer = pool[id], !transfer.isDiscarded {
            if let chunk = transfer.takeChunk() { return .success(chunk) }
            // Resuming the transfer may have delivered something.
            if !transfer.buffer.isEmpty { continue }
            if let outcome = transfer.outcome { return outcome.map { nil } }
            let ticket = pool.waiters.ticket()
            transfer.awaitBody(ticket)
            if case .failure(let error) = await suspend(ticket, for: nil, else: .headers) {
                pool.cancel(transfer)
                return .failure(error)
            }
        }
        return .failure(.cancelled)
    }

    /// The consumer is gone: what has not arrived is not wanted.
    func drop(_ id: UInt64) {
        guard let transfer = pool[id] else { return }
        pool.forget(transfer)
    }
}

// MARK: - Bodies of requests

extension CurlUpstream {
    /// Brings a request's body, one chunk at a time as libcurl asks for it.
    private func feed(_ id: UInt64, from source: any UpstreamBody) async {
        defer { source.cancel() }
        while let transfer = pool[id], transfer.outcome == nil {
            guard transfer.plan.body?.isHungry == true else {
                let ticket = pool.waiters.ticket()
                transfer.awaitFeed(ticket)
                _ = await suspend(ticket, for: nil, else: .headers)
                continue
            }
            do throws(UpstreamError) {
                let chunk = try await source.next()
                transfer.feed(chunk)
                if chunk == nil { return }
            } catch {
                transfer.end(.failure(error))
                pool.multi.settle()
            }
        }
    }
}

// MARK: - Waiting

extension CurlUpstream {
    /// Suspends the task until its ticket is woken, `bound` has passed, or it is cancelled.
    func suspend(
        _ ticket: UInt64, for bound: Duration?, else phase: UpstreamError.Phase
    ) async -> WaiterTable.Outcome {
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let waiters = pool.waiters
                waiters.suspend(ticket, continuation) {
                    bound.map { bound in
                        loop.timer(after: bound) { waiters.wake(ticket, .failure(.timeout(phase))) }
                    }
                }
            }
        } onCancel: {
            loop.spawn { await self.wake(ticket, .failure(.cancelled)) }
        }
    }

    private func wake(_ ticket: UInt64, _ outcome: WaiterTable.Outcome) {
        pool.waiters.wake(ticket, outcome)
    }
}

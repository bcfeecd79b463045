import CCurl
import CCurlShims
import Linux
import Reactor

/// A libcurl multi handle driven by the event loop: one connection pool of its own (CRED-2).
///
/// On the loop's thread only. libcurl names the sockets and the one timer it wants watched; the
/// loop reports what happened. No libcurl call is made from inside its callbacks (SWIFT-4).
final class CurlMulti {
    /// Connections kept when idle.
    private static let idleConnectionsMax = 32

    private let multi: UnsafeMutableRawPointer
    private let loop: EventLoop
    private var watches: [Int32: Watch] = [:]
    private var timer: LoopTimer?
    /// Sockets that epoll had no memory for, until it has.
    private var unwatched: [Int32: LoopTimer] = [:]
    /// Transfers that received something since the last look.
    private var touched: [Transfer] = []

    /// nil only when memory is exhausted.
    init?(on loop: EventLoop) {
        guard CurlGlobal.isReady, let multi = curl_multi_init() else { return nil }
        self.multi = multi
        self.loop = loop
        let context = Unmanaged.passUnretained(self).toOpaque()
        ccurl_multi_set_long(multi, CURLMOPT_PIPELINING, Int(CURLPIPE_NOTHING))
        ccurl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, Self.idleConnectionsMax)
        ccurl_multi_set_pointer(multi, CURLMOPT_SOCKETDATA, context)
        ccurl_multi_set_socket_function(multi) { _, fd, what, context, _ in
            guard let context else { return -1 }
            Unmanaged<CurlMulti>.fromOpaque(context).takeUnretainedValue().watch(fd, what)
            return 0
        }
        ccurl_multi_set_pointer(multi, CURLMOPT_TIMERDATA, context)
        ccurl_multi_set_timer_function(multi) { _, milliseconds, context in
            guard let context else { return -1 }
            Unmanaged<CurlMulti>.fromOpaque(context).takeUnretainedValue().schedule(milliseconds)
            return 0
        }
    }

    deinit {
        // Closing the pool's connections would call back for sockets and the timer.
        ccurl_multi_set_socket_function(multi, nil)
        ccurl_multi_set_timer_function(multi, nil)
        timer?.cancel()
        for timer in unwatched.values { timer.cancel() }
        for watch in watches.values { watch.cancel() }
        curl_multi_cleanup(multi)
    }

    func add(_ easy: CurlEasy) -> Bool {
        curl_multi_add_handle(multi, easy.handle) == CURLM_OK
    }

    func remove(_ easy: CurlEasy) {
        curl_multi_remove_handle(multi, easy.handle)
    }

    /// Notes that a transfer wants to be told when the current action is over.
    func touch(_ transfer: Transfer) {
        touched.append(transfer)
    }

    /// Reports finished transfers and delivers what arrived; after every call that moves bytes.
    func settle() {
        for (transfer, code) in finished() { transfer.completed(code) }
        while !touched.isEmpty {
            let batch = touched
            touched = []
            for transfer in batch { transfer.actionEnded() }
        }
    }

    private func finished() -> [(Transfer, CURLcode)] {
        var result: [(Transfer, CURLcode)] = []
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE else { continue }
            var context: UnsafeMutableRawPointer?
            let code = ccurl_message_result(message)
            ccurl_easy_get_pointer(message.pointee.easy_handle, CURLINFO_PRIVATE, &context)
            guard let context else { continue }
            result.append((Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue(), code))
        }
        return result
    }

    private func act(_ fd: curl_socket_t, _ events: Int32) {
        var running: Int32 = 0
        curl_multi_socket_action(multi, fd, events, &running)
        settle()
    }
}

// MARK: - What libcurl wants watched

extension CurlMulti {
    /// CURLMOPT_SOCKETFUNCTION: may come at any time inside libcurl, clean-up included.
    private func watch(_ fd: Int32, _ what: Int32) {
        unwatched.removeValue(forKey: fd)?.cancel()
        guard let interest = Self.interest(what) else {
            watches.removeValue(forKey: fd)?.cancel()
            return
        }
        if let watch = watches[fd] {
            if (try? watch.update(interest)) != nil { return }
            // The number was closed and is in use again: epoll forgot it.
            watch.cancel()
        }
        watches[fd] = try? loop.watch(fd, interest) { [unowned self] events in
            act(fd, Self.selected(events))
        }
        guard watches[fd] == nil else { return }
        // A transfer must not wait for what nobody looks at.
        unwatched[fd] = loop.timer(after: Self.retryDelay) { [unowned self] in watch(fd, what) }
    }

    private static let retryDelay = Duration.milliseconds(50)

    private static func interest(_ what: Int32) -> Interest? {
        switch what {
        case CURL_POLL_IN: .read
        case CURL_POLL_OUT: .write
        case CURL_POLL_INOUT: [.read, .write]
        default: nil
        }
    }

    private static func selected(_ events: Interest) -> Int32 {
        var result: Int32 = 0
        if events.contains(.read) { result |= CURL_CSELECT_IN }
        if events.contains(.write) { result |= CURL_CSELECT_OUT }
        // A hang-up is read as the end of the stream, after the bytes before it.
        if !events.isDisjoint(with: [.hangUp, .error]) {
            result |= CURL_CSELECT_IN | CURL_CSELECT_ERR
        }
        return result
    }

    /// CURLMOPT_TIMERFUNCTION: one timer, replaced each time; 0 fires from the loop, not here.
    private func schedule(_ milliseconds: Int) {
        timer?.cancel()
        timer = nil
        guard milliseconds >= 0 else { return }
        timer = loop.timer(after: .milliseconds(milliseconds)) { [unowned self] in
            act(CURL_SOCKET_BAD, 0)
        }
    }
}

import CCurl
import CCurlShims
import Linux
import Reactor

/// What libcurl is told at the start, what it asks on the way, and what its errors mean.
extension Transfer {
    /// Received per read of the socket; what one callback gets is at most 16 KiB all the same.
    private static let receiveBytes = 128 << 10

    /// Hands the exchange to libcurl.
    func begin() {
        enter(.connecting)
        guard let easy else { return }
        configureRequest(easy)
        configureConnection(easy)
        installCallbacks(easy)
        if !pool.multi.add(easy) { end(.failure(.connect(host: plan.url.host, detail: "curl"))) }
    }

    private func configureRequest(_ easy: CurlEasy) {
        easy.set(CURLOPT_URL, text: plan.url.text)
        easy.set(CURLOPT_NOBODY, plan.method == .head)
        easy.set(CURLOPT_PATH_AS_IS, true)
        easy.set(CURLOPT_DISALLOW_USERNAME_IN_URL, true)
        easy.set(CURLOPT_USERAGENT, text: pool.settings.userAgent)
        easy.setFields(plan.fields)
        // Hops are ours, one at a time (CRED-3).
        easy.set(CURLOPT_FOLLOWLOCATION, false)
        // Bytes arrive as they were hashed (INT-3): no decoding of any kind.
        easy.set(CURLOPT_HTTP_CONTENT_DECODING, false)
        easy.set(CURLOPT_HTTP09_ALLOWED, false)
        easy.set(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1)
        easy.set(CURLOPT_BUFFERSIZE, Self.receiveBytes)
        easy.set(CURLOPT_FRESH_CONNECT, !plan.mayUsePool)
        if plan.method == .post || plan.method == .put { configureUpload(easy) }
    }

    /// A request with a body, if of no bytes.
    private func configureUpload(_ easy: CurlEasy) {
        easy.set(CURLOPT_UPLOAD, true)
        easy.set(CURLOPT_CUSTOMREQUEST, text: plan.method.rawValue)
        easy.set(CURLOPT_INFILESIZE_LARGE, offset: plan.body?.length ?? 0)
        easy.set(CURLOPT_READDATA, pointer: Unmanaged.passUnretained(self).toOpaque())
        ccurl_easy_set_read_function(easy.handle) { bytes, size, count, context in
            guard let context, let bytes else { return 0 }
            return Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
                .requestBytes(
                    into: UnsafeMutableRawBufferPointer(start: bytes, count: size &* count))
        }
    }

    private func configureConnection(_ easy: CurlEasy) {
        // A list of what is allowed, never of what is not (SSRF-2).
        let plain = pool.settings.base.scheme == .http
        easy.set(CURLOPT_PROTOCOLS_STR, text: plain ? "http,https" : "https")
        // Nothing from the environment, no stored secrets (CRED-4).
        easy.set(CURLOPT_PROXY, text: "")
        easy.set(CURLOPT_NETRC, Int(CURL_NETRC_IGNORED.rawValue))
        easy.set(CURLOPT_NOSIGNAL, true)
        // A resolver thread that is still busy is left behind, not waited for.
        easy.set(CURLOPT_QUICK_EXIT, true)
        easy.set(CURLOPT_TCP_KEEPALIVE, true)
        let limit = pool.settings.timeouts.connect + .milliseconds(500)
        easy.set(CURLOPT_CONNECTTIMEOUT_MS, limit.wholeMilliseconds)
        // One policy for registry, token endpoint and CDN (TLS-1).
        easy.set(CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2)
        easy.set(CURLOPT_SSL_VERIFYPEER, !pool.settings.insecure)
        easy.set(CURLOPT_SSL_VERIFYHOST, pool.settings.insecure ? 0 : 2)
        if let file = pool.settings.caFile {
            easy.set(CURLOPT_CAINFO, text: file)
        } else {
            // With a directory as well libcurl would parse the whole bundle for each connection.
            easy.set(CURLOPT_CAPATH, text: nil)
        }
    }

    private func installCallbacks(_ easy: CurlEasy) {
        let context = Unmanaged.passUnretained(self).toOpaque()
        for option in [
            CURLOPT_PRIVATE, CURLOPT_WRITEDATA, CURLOPT_HEADERDATA, CURLOPT_OPENSOCKETDATA,
            CURLOPT_PREREQDATA, CURLOPT_SSL_CTX_DATA,
        ] { easy.set(option, pointer: context) }
        ccurl_easy_set_write_function(easy.handle) { bytes, size, count, context in
            guard let context else { return 0 }
            return Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
                .bodyBytes(UnsafeRawBufferPointer(start: bytes, count: size &* count))
        }
        ccurl_easy_set_header_function(easy.handle) { bytes, size, count, context in
            guard let context else { return 0 }
            return Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
                .headerLine(UnsafeRawBufferPointer(start: bytes, count: size &* count))
        }
        ccurl_easy_set_open_function(easy.handle) { context, _, address in
            guard let context, let address else { return CURL_SOCKET_BAD }
            return Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
                .openSocket(address)
        }
        ccurl_easy_set_tls_function(easy.handle) { _, _, context in
            guard let context else { return CURLE_ABORTED_BY_CALLBACK }
            Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue().enter(.handshaking)
            return CURLE_OK
        }
        ccurl_easy_set_prerequest_function(easy.handle) { context, address, _, _, _ in
            guard let context, let address else { return CURL_PREREQFUNC_ABORT }
            return Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
                .aboutToSend(to: String(cString: address))
        }
    }

    // MARK: - Callbacks

    /// CURLOPT_OPENSOCKETFUNCTION: the name is resolved, this address is next (SSRF-3).
    private func openSocket(_ address: UnsafeMutablePointer<curl_sockaddr>) -> curl_socket_t {
        let bytes = UnsafeRawBufferPointer(
            start: ccurl_address_bytes(address), count: Int(address.pointee.addrlen))
        guard permits(IPAddress(socketAddress: bytes)) else { return CURL_SOCKET_BAD }
        permittedAddresses += 1
        return ccurl_open_socket(address)
    }

    /// CURLOPT_PREREQFUNCTION: connected, maybe long ago by another transfer; now it is sent.
    private func aboutToSend(to address: String) -> Int32 {
        guard permits(IPAddress(parsing: address)) else { return CURL_PREREQFUNC_ABORT }
        enter(.awaitingHead)
        return CURL_PREREQFUNC_OK
    }

    private func permits(_ address: IPAddress?) -> Bool {
        if let address, pool.addressPolicy.permits(address, for: plan.url.origin) { return true }
        refusedAddress = refusedAddress ?? address?.description ?? "an unknown address"
        return false
    }

    /// Whether the request went out on a connection that another transfer had opened.
    var wasPooled: Bool { permittedAddresses == 0 && refusedAddress == nil }

    // MARK: - Errors

    private func explain(_ code: CURLcode) -> String {
        easy?.explain(code) ?? String(cString: curl_easy_strerror(code))
    }

    /// libcurl's code as one of ours.
    func error(for code: CURLcode) -> UpstreamError {
        let host = plan.url.host
        switch code {
        case CURLE_ABORTED_BY_CALLBACK, CURLE_COULDNT_CONNECT:
            if let refusedAddress, permittedAddresses == 0 || code == CURLE_ABORTED_BY_CALLBACK {
                return .refusedAddress(host: host, address: refusedAddress)
            }
            return .connect(host: host, detail: explain(code))
        case CURLE_COULDNT_RESOLVE_HOST:
            return .resolve(host: host)
        case CURLE_OPERATION_TIMEDOUT:
            return .timeout(connectPhase ?? .headers)
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM,
            CURLE_SSL_CIPHER, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR,
            CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_ENGINE_INITFAILED, CURLE_USE_SSL_FAILED:
            return .tls(host: host, detail: explain(code))
        case CURLE_PARTIAL_FILE:
            return .truncated
        case CURLE_GOT_NOTHING, CURLE_RECV_ERROR, CURLE_SEND_ERROR:
            return .reset
        default:
            return .badResponse(String(cString: curl_easy_strerror(code)))
        }
    }
}

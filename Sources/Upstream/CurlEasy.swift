import CCurl
import CCurlShims

/// One libcurl easy handle with everything that must outlive it.
///
/// Owned by a `Transfer`, on the loop's thread only; taken out of its multi before it is dropped.
final class CurlEasy {
    let handle: UnsafeMutableRawPointer
    private let errorText: UnsafeMutablePointer<CChar>
    private var fields: UnsafeMutablePointer<curl_slist>?

    /// nil only when memory is exhausted.
    init?() {
        guard CurlGlobal.isReady, let handle = curl_easy_init() else { return nil }
        self.handle = handle
        errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        ccurl_easy_set_pointer(handle, CURLOPT_ERRORBUFFER, errorText)
    }

    deinit {
        curl_easy_cleanup(handle)
        curl_slist_free_all(fields)
        errorText.deallocate()
    }

    func set(_ option: CURLoption, _ value: Int) {
        ccurl_easy_set_long(handle, option, value)
    }

    func set(_ option: CURLoption, offset value: Int64) {
        ccurl_easy_set_offset(handle, option, curl_off_t(value))
    }

    func set(_ option: CURLoption, _ value: Bool) {
        ccurl_easy_set_long(handle, option, value ? 1 : 0)
    }

    /// libcurl keeps a copy of the text.
    func set(_ option: CURLoption, text: String?) {
        ccurl_easy_set_text(handle, option, text)
    }

    func set(_ option: CURLoption, pointer: UnsafeMutableRawPointer?) {
        ccurl_easy_set_pointer(handle, option, pointer)
    }

    /// Sets the request's own header lines, each `Name: value`.
    func setFields(_ lines: [String]) {
        for line in lines {
            guard let longer = curl_slist_append(fields, line) else { return }
            fields = longer
        }
        ccurl_easy_set_list(handle, CURLOPT_HTTPHEADER, fields)
    }

    /// A time libcurl measured since the transfer began; zero when that point was not reached.
    func time(_ info: CURLINFO) -> Duration {
        var microseconds: curl_off_t = 0
        guard ccurl_easy_get_offset(handle, info, &microseconds) == CURLE_OK else { return .zero }
        return .microseconds(Int64(microseconds))
    }

    /// What libcurl says about a failure.
    ///
    /// Names hosts, certificates and errors of the TLS library.
    func explain(_ code: CURLcode) -> String {
        let text = String(cString: errorText)
        return text.isEmpty ? String(cString: curl_easy_strerror(code)) : text
    }
}

/// libcurl's process-wide state: initialised once, never torn down.
enum CurlGlobal {
    static let isReady = ccurl_global_init() == CURLE_OK
}

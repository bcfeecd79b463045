/// An upstream that is never asked: no name is resolved, no packet leaves (`offline = true`).
package struct OfflineUpstream: UpstreamClient {
    package init() {}

    /// Always throws `offline`.
    package func send(_ request: UpstreamRequest) async throws(UpstreamError) -> UpstreamResponse {
        throw .offline
    }
}

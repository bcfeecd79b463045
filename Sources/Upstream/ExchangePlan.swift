import Reactor

/// Everything decided about one exchange before it begins.
struct ExchangePlan {
    var kind: UpstreamEvents.Exchange.Kind
    var method: UpstreamRequest.Method
    var url: RemoteURL
    /// Header lines of this request, each `Name: value`, credentials included where they may be.
    var fields: [String]
    /// When the final headers of the whole request are due.
    var deadline: Instant
    /// Whether a connection that was used before will do.
    var mayUsePool = true
    /// What is sent along.
    var body: OutgoingBody?
    /// How long the response line may take once the request is out; nil for the client's bound.
    var patience: Duration?
}

/// On whose behalf the current task runs, for what has to be shared out fairly (RES-10).
///
/// Tasks that a request causes inherit it: a fetch counts for the client that began it, whoever
/// joins it later.
package enum Requester {
    /// An IPv4 address or an IPv6 /64; empty for what Cistern does of its own accord.
    @TaskLocal package static var client = ""
}

/// What is counted for one upstream of a repository: a proxy may have several.
package struct UpstreamSiteMetrics: Sendable {
    /// 0 closed, 1 probing, 2 open (UP-8).
    package let breaker: BoundGauge
    /// Requests sent once more.
    package let retries: BoundCounter
    /// Requests not sent, since the breaker was open.
    package let refused: BoundCounter
}

extension RepositoryMetrics {
    /// The counters of one upstream; `upstream` is its configured origin (RES-7).
    package func site(_ upstream: String) -> UpstreamSiteMetrics {
        UpstreamSiteMetrics(
            breaker: families.breaker.bound([name, upstream]),
            retries: families.retries.bound([name, upstream]),
            refused: families.refused.bound([name, upstream]))
    }
}

import Testing

/// Every promise that the compiler cannot check is counted and says which invariant keeps it.
@Suite struct SendabilityTests {
    /// Files with `@unchecked Sendable` or `nonisolated(unsafe)`, and how many.
    ///
    /// A new one needs a reason in the review; one that went is taken out here.
    private static let allowed: [String: Int] = [
        "Sources/Daemon/DaemonMain.swift": 1,
        "Sources/Reactor/ActorExecutor.swift": 1,
        "Sources/Reactor/Chunk.swift": 1,
        "Sources/Reactor/EventLoop.swift": 1,
        "Sources/Reactor/WorkerPool.swift": 1,
        "Sources/Server/Connection.swift": 1,
        "Sources/Server/RequestBody.swift": 1,
        "Sources/Server/ServerLoop.swift": 1,
        "Sources/Store/LastUse.swift": 1,
        "Sources/Store/OpenFile.swift": 1,
        "Sources/Store/StreamingHash.swift": 2,
        "Sources/TLS/TLSCertificate.swift": 2,
        "Sources/TLS/TLSContext.swift": 1,
        "Sources/Telemetry/LogQueue.swift": 1,
    ]

    private static let files = SourceTree.sources.filter {
        $0.mentions("@unchecked") || $0.mentions("nonisolated(unsafe)")
    }

    private static var promise: some RegexComponent {
        #/@unchecked +Sendable|nonisolated\(unsafe\)/#
    }

    @Test func promisesAreCounted() {
        var counts: [String: Int] = [:]
        for file in SendabilityTests.files {
            let count = file.findings(SendabilityTests.promise).count
            if count > 0 { counts[file.path] = count }
        }
        #expect(counts == SendabilityTests.allowed)
    }

    @Test func promisesSayWhatKeepsThem() {
        for file in SendabilityTests.files {
            for (index, code) in file.code.enumerated()
            where code.contains(SendabilityTests.promise) {
                let isExplained = file.comments(above: index).contains {
                    $0.contains("`@unchecked Sendable`") || $0.contains("`nonisolated(unsafe)`")
                }
                #expect(isExplained, "\(file):\(index + 1): which invariant keeps the promise?")
            }
        }
    }
}

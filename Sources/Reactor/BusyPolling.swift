/// Decides whether a loop looks for its next event for a moment before it sleeps.
///
/// To sleep and to be woken costs a loop 20 µs and more of CPU, and its client as much of time.
/// A client that asks again as soon as it has its answer is there before that is over. Where
/// events come otherwise, or where other threads of the process have work, looking for them would
/// only take the core from somebody: so it has to have been worth it lately.
struct BusyPolling {
    /// How long a loop looks without sleeping.
    static let timeMax = Duration.microseconds(50)
    /// A wait is short up to here: being woken is part of it.
    static let shortWaitMax = Duration.microseconds(100)
    /// Short waits in a row before a loop looks.
    static let shortWaitsMin = 4
    /// The same where looking is of no use: it costs 1 µs for each wait then.
    static let shortWaitsMax = 64

    private var shortWaitsMissing = shortWaitsMin
    private var shortWaitsAfterFailure = 2 * shortWaitsMin

    /// Whether the next wait should begin without sleep.
    var isWorthIt: Bool { shortWaitsMissing == 0 }

    /// A wait ended after `time`: somebody sent something, or a timer is due.
    mutating func waited(_ time: Duration) {
        if time > Self.shortWaitMax {
            shortWaitsMissing = max(shortWaitsMissing, Self.shortWaitsMin)
        } else if shortWaitsMissing > 0 {
            shortWaitsMissing -= 1
        } else {
            shortWaitsAfterFailure = 2 * Self.shortWaitsMin
        }
    }

    /// Nothing came for `timeMax`.
    mutating func foundNothing() {
        shortWaitsMissing = shortWaitsAfterFailure
        shortWaitsAfterFailure = min(2 * shortWaitsAfterFailure, Self.shortWaitsMax)
    }

    /// Somebody takes a body, at their own pace.
    mutating func foundOnlyRoom() {
        shortWaitsMissing = Self.shortWaitsMax
    }

    /// Another thread has handed something over: there are several at work, maybe on one core.
    mutating func heardOfOthers() {
        shortWaitsMissing = Self.shortWaitsMax
    }
}

/// `[threads]`: how many threads do what.
package struct ThreadsConfiguration: Sendable, Equatable {
    /// Event loops, each its own thread.
    package var loops: Int
    /// Threads that hash, write and do whatever else blocks.
    package var workers: Int
}

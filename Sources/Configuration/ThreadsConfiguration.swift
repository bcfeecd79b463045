/// `[threads]`: how many threads do what.
package struct ThreadsConfiguration: Sendable, Equatable {
    /// Event loops, each its own thread.
    package var loops: Int
    /// Threads that hash, write and read what is not in memory.
    package var workers: Int
}

/// How an answer may be given again, to a request of the very same bytes on the same listener.
///
/// One object that holds all it needs: where thousands of answers take turns, each more that is
/// touched has to come from memory.
package protocol Repetition: AnyObject, Sendable {
    /// What is sent with the same status and fields as before; nil when something that the answer
    /// came from may have changed.
    ///
    /// Called on the connection's loop; must not block.
    func again() -> Body?

    /// Called once when `body` was sent as the answer to `request`, or has been cut short.
    func finished(_ body: Body, _ request: Request, _ outcome: ResponseOutcome)
}

/// How an answer may be given again, to a request of the very same bytes on the same listener.
package struct Repetition: Sendable {
    /// What is sent with the same status and fields as before, and what to do when it is sent; nil
    /// when something that the answer came from may have changed.
    ///
    /// Called on the connection's loop; must not block.
    package let again: @Sendable (Request) -> Again?

    package init(_ again: @escaping @Sendable (Request) -> Again?) {
        self.again = again
    }

    /// The parts of an answer that are not the same each time.
    package struct Again {
        package var body: Body
        package var finished: @Sendable (ResponseOutcome) -> Void

        package init(body: Body, finished: @escaping @Sendable (ResponseOutcome) -> Void) {
            self.body = body
            self.finished = finished
        }
    }
}

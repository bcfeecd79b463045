/// How an answer ended, for the access line and the metrics.
package struct ResponseOutcome: Sendable {
    /// Why a body ended before its end.
    package enum Cut: String, Error, CaseIterable, Sendable {
        /// The client closed or reset the connection.
        case clientGone = "client_gone"
        /// The client took nothing for the write stall time (RES-5).
        case stalled
        /// The file failed, proved short or stopped growing, or the stream threw.
        case source
        /// The drain's bound passed.
        case drained
    }

    package let status: Int
    /// Body bytes handed to the kernel; without head and chunk framing.
    package let bytesSent: Int64
    /// Nil if the whole answer was handed to the kernel.
    package let cut: Cut?
    /// From the complete request head to the first byte of the answer; nil if none was sent.
    package let timeToFirstByte: Duration?
    /// From the complete request head to the end of the answer.
    package let duration: Duration

    package var isComplete: Bool { cut == nil }
}

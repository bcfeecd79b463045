/// How an answer may be given again, to a request of the very same bytes on the same listener.
///
/// One object that holds all it needs: where thousands of answers take turns, each more that is
/// touched has to come from memory.
package protocol Repetition: AnyObject, Sendable {
    /// What is sent with the same status and fields as before; nil when something that the answer
    /// came from may have changed, or when this has to be worked out.
    ///
    /// With a `part` the request is another in it, and what was that part of the request before is
    /// this one's in the fields of the answer, too. Called on the connection's loop; must not
    /// block.
    func again(_ part: HeadPart?) -> Body?

    /// Whether it will give nothing any more, whatever the part.
    var isOver: Bool { get }

    /// Called once when `body` was sent as an answer, or has been cut short; `request` has the head
    /// that was remembered, in which `part` is another.
    func finished(
        _ body: Body, _ part: HeadPart?, _ outcome: ResponseOutcome, request: () -> Request)
}

/// The bytes of a head that make a request another one of the same kind: the digits of a digest.
package struct HeadPart: Sendable {
    /// As many as a SHA-256 has digits.
    package static let count = 64

    private var bytes: InlineArray<64, UInt8>

    init(_ source: Slice<UnsafeRawBufferPointer>) {
        bytes = InlineArray(repeating: 0)
        withUnsafeMutableBytes(of: &bytes) {
            $0.copyBytes(from: source.prefix(Self.count))
        }
    }

    /// Lends them.
    package func withBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
        withUnsafeBytes(of: bytes) { body($0) }
    }
}

/// How much of a request head is read (RES-1).
package struct ParserLimits: Sendable {
    /// The longest request line with its CRLF; beyond it 414 (RFC 9112 §3 wants 8,000 at least).
    package var requestLineBytesMax = 8 << 10
    /// All field lines with their CRLFs; beyond it 431 (a `Range` of 1,024 ranges takes 20 KB).
    package var headerBytesMax = 32 << 10
    /// The number of field lines; beyond it 431.
    package var fieldsMax = 100
    /// The number of query parameters; beyond it 400.
    package var queryParametersMax = 32

    package init() {}

    /// The most bytes a head can need before it is complete or refused: what a receive buffer has
    /// to hold.
    package var headBytesMax: Int { 2 + requestLineBytesMax + headerBytesMax + 2 }
}

/// Bytes that must not be seen: no description, interpolation or dump of it shows them (CRED-6).
package struct Secret: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    /// The bytes themselves, to be handed to the upstream's client only.
    package let bytes: [UInt8]

    package var description: String { "[secret]" }
    package var debugDescription: String { "[secret]" }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

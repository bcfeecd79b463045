import Linux

/// Standard output is for data, standard error for talk.
enum StandardStreams {
    static func writeOutput(_ text: String) { write(text, to: 1) }

    static func writeError(_ text: String) { write(text, to: 2) }

    /// Writes everything; a reader that went away ends it, there is nobody left to tell.
    private static func write(_ text: String, to descriptor: Int32) {
        let bytes = Array(text.utf8)
        bytes.withUnsafeBytes { raw in
            var offset = 0
            while offset < raw.count {
                let rest = UnsafeRawBufferPointer(rebasing: raw[offset...])
                guard let count = try? System.write(descriptor, rest), count > 0 else { return }
                offset += count
            }
        }
    }
}

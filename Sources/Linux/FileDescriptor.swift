import Glibc

/// An open file descriptor with exactly one owner, closed when the owner is gone.
package struct FileDescriptor: ~Copyable, Sendable {
    package let raw: Int32

    /// Takes over `raw`, which nobody else may close.
    package init(owning raw: Int32) {
        self.raw = raw
    }

    deinit {
        // A failed close loses nothing that was not reported by fsync before (DUR-2).
        _ = Glibc.close(raw)
    }

    /// Hands the descriptor on without closing it.
    package consuming func release() -> Int32 {
        let raw = self.raw
        discard self
        return raw
    }
}

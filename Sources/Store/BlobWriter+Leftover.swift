import Glibc
import Linux
import OCI
import Reactor
import Synchronization

/// Taking up again what an earlier run left, and leaving it.
extension BlobWriter {
    /// Hashes what an earlier run left, slice by slice; readers have each as soon as it is hashed.
    ///
    /// Errors are those of `append`.
    package func rehash() async throws(StoreError) {
        while written < leftover {
            let end: Int64
            do throws(Errno) {
                end = try await store.workers.run { () throws(Errno) in try self.readSlice() }
            } catch {
                await breakOff()
                store.report(.failed(error))
                throw StoreError(error)
            }
            try await show(upTo: end)
        }
    }

    /// Gives up for now: readers are cut, what is written stays for a later writer to go on with.
    package func leave() async {
        let phase = state.withLock { $0.phase }
        if phase == .ended { return }
        file.fail()
        let left = phase == .writing ? await store.count(left: name) : nil
        if left == nil, phase == .writing { await remove() }
        state.withLock { $0.isLeft = left != nil }
        await end()
        if let left { await store.keep(left) }
    }

    /// How much of a file is hashed per job.
    static let sliceBytes: Int64 = 4 << 20

    private func readSlice() throws(Errno) -> Int64 {
        try state.withLock { state throws(Errno) in
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 64)
            defer { buffer.deallocate() }
            let end = min(leftover, state.written + Self.sliceBytes)
            while state.written < end {
                let rest = UnsafeMutableRawBufferPointer(
                    rebasing: buffer[..<Int(min(Int64(buffer.count), end - state.written))])
                let count = try System.pread(file.fd, rest, at: state.written)
                if count == 0 { throw Errno(EIO, "pread") }
                state.add(UnsafeRawBufferPointer(rebasing: rest[..<count]))
            }
            return end
        }
    }
}

import COpenSSL
package import OCI

/// A SHA-256 or SHA-512 over bytes that come piece by piece, by OpenSSL's EVP.
///
/// The context is freed with it.
///
/// `@unchecked Sendable`: it cannot be copied, so that the context has one owner, who has it on one
/// thread at a time.
package struct StreamingHash: ~Copyable, @unchecked Sendable {
    private let context: OpaquePointer
    private let algorithm: Digest.Algorithm

    package init(_ algorithm: Digest.Algorithm) {
        guard let context = EVP_MD_CTX_new() else {
            preconditionFailure("out of memory for a hash context")
        }
        let started = EVP_DigestInit_ex(context, HashMethod.of(algorithm).pointer, nil)
        precondition(started == 1, "OpenSSL computes \(algorithm.name)")
        self.context = context
        self.algorithm = algorithm
    }

    deinit {
        EVP_MD_CTX_free(context)
    }

    /// Adds bytes.
    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard !bytes.isEmpty else { return }
        let added = EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
        precondition(added == 1, "a started hash takes bytes")
    }

    /// A hash of the bytes added so far, to go its own way.
    package func copy() -> StreamingHash {
        let copy = StreamingHash(algorithm)
        let copied = EVP_MD_CTX_copy_ex(copy.context, context)
        precondition(copied == 1, "a started hash can be copied")
        return copy
    }

    /// The digest of the bytes added so far; more may follow.
    package func digestSoFar() -> Digest {
        var copy = copy()
        return copy.finalize()
    }

    /// The digest of all bytes added; nothing may be added after it.
    package mutating func finalize() -> Digest {
        var hash = [UInt8](repeating: 0, count: algorithm.byteCount)
        var length: UInt32 = 0
        let ended = EVP_DigestFinal_ex(context, &hash, &length)
        precondition(ended == 1 && Int(length) == hash.count, "a started hash ends")
        guard let digest = Digest(algorithm, bytes: hash) else {
            preconditionFailure("a hash has the length of its algorithm")
        }
        return digest
    }

    /// The digest of bytes that are all in memory.
    package static func digest(of bytes: [UInt8], _ algorithm: Digest.Algorithm) -> Digest {
        var hash = StreamingHash(algorithm)
        bytes.withUnsafeBytes { hash.update($0) }
        return hash.finalize()
    }
}

/// A fetched hash implementation.
///
/// `@unchecked Sendable`: an `EVP_MD` is never changed after it was fetched, and never freed here.
private struct HashMethod: @unchecked Sendable {
    let pointer: OpaquePointer

    /// Fetched once: looking an implementation up costs more than hashing a small manifest.
    private static let sha256 = HashMethod("SHA2-256")
    private static let sha512 = HashMethod("SHA2-512")

    private init(_ name: String) {
        guard let found = EVP_MD_fetch(nil, name, nil) else {
            preconditionFailure("OpenSSL has \(name)")
        }
        pointer = found
    }

    static func of(_ algorithm: Digest.Algorithm) -> HashMethod {
        switch algorithm {
        case .sha256: sha256
        case .sha512: sha512
        }
    }
}

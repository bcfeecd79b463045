import COpenSSL

/// SHA-256 or SHA-512 of bytes fed piece by piece; the tests' own measure of what is right.
package final class MessageDigest {
    /// The two algorithms that OCI digests may name.
    package enum Algorithm: String, Sendable { case sha256, sha512 }

    private let algorithm: Algorithm
    private let context: OpaquePointer?

    package init(_ algorithm: Algorithm = .sha256) {
        self.algorithm = algorithm
        context = EVP_MD_CTX_new()
        EVP_DigestInit_ex(context, algorithm == .sha256 ? EVP_sha256() : EVP_sha512(), nil)
    }

    deinit { EVP_MD_CTX_free(context) }

    package func update(_ bytes: UnsafeRawBufferPointer) {
        EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
    }

    /// The digest as OCI writes it, for example `sha256:e3b0…`.
    package func finish() -> String {
        var hash = [UInt8](repeating: 0, count: 64)
        var count: UInt32 = 0
        EVP_DigestFinal_ex(context, &hash, &count)
        let digits = Array("0123456789abcdef".utf8)
        let hex = hash[..<Int(count)].flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        return "\(algorithm.rawValue):\(String(decoding: hex, as: UTF8.self))"
    }

    /// The digest of bytes at hand.
    package static func of(_ bytes: [UInt8], _ algorithm: Algorithm = .sha256) -> String {
        let digest = MessageDigest(algorithm)
        bytes.withUnsafeBytes { digest.update($0) }
        return digest.finish()
    }
}

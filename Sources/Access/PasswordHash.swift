import CCrypt
import Glibc

/// Passwords as bcrypt keeps them, by the system's libcrypt; slow on purpose, so never on a loop.
package enum PasswordHash {
    /// 2^10 rounds: some 50 to 100 ms.
    private static let cost: UInt = 10
    /// What a hash may cost: each step doubles it, and 16 takes seconds.
    static let costs = 4...16
    /// bcrypt reads no further.
    package static let passwordBytesMax = 72
    /// What `crypt_rn` works in.
    private static let scratchBytes = 32768

    /// The hash of a new password; nil if there is no memory or no randomness.
    package static func make(_ password: [UInt8]) -> String? {
        var setting = [CChar](repeating: 0, count: Int(CRYPT_GENSALT_OUTPUT_SIZE))
        guard crypt_gensalt_rn("$2y$", cost, nil, 0, &setting, Int32(setting.count)) != nil else {
            return nil
        }
        let bytes = setting.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return hash(password, bytes).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Whether this is the password; takes as long for a wrong one.
    static func matches(_ password: [UInt8], _ hash: String) -> Bool {
        let wanted = Array(hash.utf8)
        guard let found = self.hash(password, wanted) else { return false }
        return ConstantTime.areEqual(found, wanted)
    }

    private static func hash(_ password: [UInt8], _ setting: [UInt8]) -> [UInt8]? {
        guard !password.contains(0) else { return nil }
        let scratch = UnsafeMutableRawBufferPointer.allocate(
            byteCount: scratchBytes, alignment: 16)
        defer { scratch.deallocate() }
        scratch.initializeMemory(as: UInt8.self, repeating: 0)
        // What is left of the password in it is not for the next one who gets this memory.
        defer { wipe(scratch) }
        var phrase = password.map { CChar(bitPattern: $0) } + [0]
        defer { phrase.withUnsafeMutableBytes { wipe($0) } }
        let terminated = setting.map { CChar(bitPattern: $0) } + [0]
        guard
            let found = crypt_rn(phrase, terminated, scratch.baseAddress, Int32(scratchBytes))
        else { return nil }
        let length = strlen(found)
        return (0..<length).map { UInt8(bitPattern: found[$0]) }
    }

    private static func wipe(_ memory: UnsafeMutableRawBufferPointer) {
        if let start = memory.baseAddress { explicit_bzero(start, memory.count) }
    }
}

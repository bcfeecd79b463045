/// A certification authority of a test's own, and what it signs, made by openssl.
package final class TestAuthority: Sendable {
    /// A certificate and its key, in files.
    package struct Pair: Sendable {
        package let certificate: String
        package let key: String

        package var certificateBytes: [UInt8] { get throws { try Files.read(certificate) } }
        package var keyBytes: [UInt8] { get throws { try Files.read(key) } }
    }

    package let directory: TemporaryDirectory
    /// The authority's own certificate, in PEM.
    package let certificate: String
    private let key: String

    package init(name: String = "test authority") throws {
        directory = try TemporaryDirectory.inMemory()
        certificate = directory.file("ca.pem")
        key = directory.file("ca.key")
        try Command.succeed(
            "openssl",
            ["req", "-x509", "-subj", "/CN=\(name)", "-days", "2"] + Self.newKey(key) + [
                "-out", certificate,
            ])
    }

    /// Signs a certificate for DNS names and addresses, valid from now for `days`; below 0
    /// it has expired.
    ///
    /// Its subject is the first name; `file` tells several of one name apart.
    package func issue(
        _ names: [String], file: String? = nil, days: Int = 2
    ) throws -> Pair {
        let file = file ?? names.joined(separator: "-").filter { $0 != "*" }
        let (request, extensions) = (directory.file("\(file).csr"), directory.file("\(file).ext"))
        let pair = Pair(
            certificate: directory.file("\(file).pem"), key: directory.file("\(file).key"))
        let alternatives = names.map { name in
            name.allSatisfy { "0123456789.".contains($0) } ? "IP:\(name)" : "DNS:\(name)"
        }
        try Files.write(
            extensions, Array("subjectAltName=\(alternatives.joined(separator: ","))\n".utf8))
        try Command.succeed(
            "openssl",
            ["req", "-subj", "/CN=\(names.first ?? "")"] + Self.newKey(pair.key) + [
                "-out", request,
            ])
        try Command.succeed(
            "openssl",
            [
                "x509", "-req", "-in", request, "-CA", certificate, "-CAkey", key,
                "-CAcreateserial", "-out", pair.certificate, "-extfile", extensions,
                "-days", "\(days)",
            ])
        return pair
    }

    private static func newKey(_ file: String) -> [String] {
        ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", file]
    }
}

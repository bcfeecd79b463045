import Foundation
import OCI
import Reactor
import Testing

@testable import Upstream

/// A private certification authority and a server certificate for 127.0.0.1, made by openssl.
private struct Authority {
    let directory: URL

    init() throws {
        directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("cistern-tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        try "subjectAltName=IP:127.0.0.1\n".write(
            to: directory.appendingPathComponent("san"), atomically: true, encoding: .utf8)
        try run(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -subj /CN=ca -days 2"
        )
        try run(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out csr.pem -subj /CN=server"
        )
        try run(
            "x509 -req -in csr.pem -CA ca.pem -CAkey ca.key -CAcreateserial -out cert.pem -days 2"
                + " -extfile san")
        // s_server -WWW serves files by the request's path.
        let files = directory.appendingPathComponent("v2/a/manifests")
        try FileManager.default.createDirectory(at: files, withIntermediateDirectories: true)
        try "content".write(
            to: files.appendingPathComponent("1"), atomically: true, encoding: .utf8)
    }

    func path(_ name: String) -> String { directory.appendingPathComponent(name).path }

    private func run(_ arguments: String) throws {
        let process = try start(arguments.split(separator: " ").map(String.init))
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
    }

    private func start(_ arguments: [String], output: Any? = FileHandle.nullDevice) throws
        -> Process
    {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.arguments = arguments
        process.currentDirectoryURL = directory
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        return process
    }

    /// Runs `body` with the port of a TLS server.
    func withServer(
        _ options: [String] = [], _ body: (UInt16) async throws -> Void
    ) async throws {
        let pipe = Pipe()
        let process = try start(
            ["s_server", "-accept", "127.0.0.1:0", "-cert", "cert.pem", "-key", "key.pem", "-WWW"]
                + options, output: pipe)
        defer {
            // It inherits a mask of blocked signals: only this one is sure to end it.
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
        var text = ""
        var port: UInt16?
        while port == nil {
            let data = pipe.fileHandleForReading.availableData
            try #require(!data.isEmpty)
            text += String(decoding: data, as: UTF8.self)
            // "ACCEPT 127.0.0.1:40123"
            for line in text.split(separator: "\n") where line.hasPrefix("ACCEPT") {
                port = line.split(separator: ":").last.flatMap { UInt16($0) }
            }
        }
        try await body(try #require(port))
    }

    func remove() { try? FileManager.default.removeItem(at: directory) }
}

@Suite struct TLSTests {
    @Test func aPrivateAuthorityIsTrustedWhereItIsNamed() async throws {  // TLS-1
        let authority = try Authority()
        defer { authority.remove() }
        try await authority.withServer { port in
            let base = "https://127.0.0.1:\(port)"
            let trusted = try Harness(base) { $0.caFile = authority.path("ca.pem") }
            defer { trusted.stop() }
            let (status, body) = try await trusted.get(.tag("a", "1"))
            #expect(status == 200 && body == Array("content".utf8))

            let untrusted = try Harness(base)
            defer { untrusted.stop() }
            #expect(await untrusted.failure(of: .tag("a", "1"))?.reason == "tls")

            let insecure = try Harness(base) { $0.insecure = true }
            defer { insecure.stop() }
            #expect(try await insecure.get(.tag("a", "1")).0 == 200)

            // The chain is right, the name is not.
            let named = try Harness("https://localhost:\(port)") {
                $0.caFile = authority.path("ca.pem")
            }
            defer { named.stop() }
            #expect(await named.failure(of: .tag("a", "1"))?.reason == "tls")
        }
    }

    @Test func oldVersionsAreNotSpoken() async throws {  // TLS-1
        let authority = try Authority()
        defer { authority.remove() }
        try await authority.withServer(["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]) { port in
            let harness = try Harness("https://127.0.0.1:\(port)") { $0.insecure = true }
            defer { harness.stop() }
            #expect(await harness.failure(of: .tag("a", "1"))?.reason == "tls")
        }
    }

    @Test func anAnswerBeforeTheHandshakeIsNotUsed() async throws {  // TLS-2, TLS-3
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong"
        try await withServer(
            greeting: [.send(answer), .silence], { _ in [] },
            { server in
                let harness = try Harness("https://127.0.0.1:\(server.port)") {
                    $0.insecure = true
                    $0.timeouts.tls = .milliseconds(500)
                }
                defer { harness.stop() }
                let error = try #require(await harness.failure(of: .tag("a", "1")))
                #expect(error.reason == "tls")
                #expect(server.connections == 1)
                #expect(server.requests.isEmpty)
            })
    }
}

import Glibc
import TestSupport

/// Bad clients: many connections that take what they can get and give nothing back (P10).
///
/// All of them come from addresses of their own, `127.<kind>.0.<n>`, so that the limit per address
/// keeps none of them away.
final class Flood: Sendable {
    private let address: String
    private let isStopped = Monitor(false)
    private let threads = Monitor<[TestThread<Void>]>([])
    private let counts = Monitor<[String: Int]>([:])

    init(_ address: String) { self.address = address }

    /// What has been done so far, by kind.
    var summary: String {
        counts.read { $0.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" } }
            .joined(separator: ", ")
    }

    func stop() {
        isStopped.with { $0 = true }
        for thread in threads.read({ $0 }) { _ = try? thread.value() }
    }

    private func start(_ body: @escaping @Sendable () -> Void) {
        let thread = TestThread { body() }
        threads.with { $0.append(thread) }
    }

    private func count(_ kind: String, _ more: Int = 1) {
        counts.with { $0[kind, default: 0] += more }
    }

    /// False once the flood is over.
    private func pause(_ time: Duration) -> Bool { !isStopped.wait(time) { $0 } }

    private var goesOn: Bool { isStopped.read { !$0 } }

    private func connect(_ kind: Int, _ number: Int, buffer: Int32? = nil) -> RawClient? {
        let client = try? RawClient(
            address, receiveBuffer: buffer, from: "127.\(kind).0.\(1 + number / 200)")
        client?.socket.setTimeout(.milliseconds(200))
        return client
    }

    /// Heads that never end, a line each second; whoever is cut comes again.
    func slowloris(_ total: Int) {
        start { [self] in
            var clients: [RawClient?] = []
            for number in 0..<total where goesOn {
                let client = connect(11, number)
                try? client?.send(raw: "GET /v2/ HTTP/1.1\r\nHost: a\r\n")
                clients.append(client)
                count("slow heads")
            }
            while pause(.seconds(1)) {
                for number in clients.indices where goesOn {
                    do {
                        guard let client = clients[number] else { throw SocketError.refused }
                        try client.send(raw: "X-\(number): y\r\n")
                    } catch {
                        clients[number] = connect(11, number)
                        count("slow heads")
                    }
                }
            }
        }
    }

    /// Asks for something large and takes hardly anything of it.
    func slowReaders(_ total: Int, of target: String) {
        start { [self] in
            var clients: [RawClient?] = []
            for number in 0..<total where goesOn {
                let client = connect(12, number, buffer: 4096)
                try? client?.send(target)
                clients.append(client)
                count("slow readers")
            }
            while pause(.seconds(1)) {
                for client in clients { _ = try? client?.rest(limit: 512) }
            }
        }
    }

    /// Connects, and hangs up.
    func connections() {
        start { [self] in
            while goesOn {
                for number in 0..<50 {
                    connect(13, number)?.socket.reset()
                    count("connections")
                }
                if !pause(.milliseconds(10)) { return }
            }
        }
    }

    /// Connects and says nothing.
    func silence(_ total: Int) {
        start { [self] in
            let clients = (0..<total).map { connect(14, $0) }
            count("silent", total)
            isStopped.wait(.seconds(600)) { $0 }
            withExtendedLifetime(clients) {}
        }
    }

    /// Sends requests without ever reading an answer.
    func pipelining() {
        let requests = String(
            repeating: "GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n", count: 200)
        start { [self] in
            while goesOn {
                let client = connect(15, 0, buffer: 4096)
                while goesOn, let client, (try? client.send(raw: requests)) != nil {
                    count("pipelined", 200)
                }
                if !pause(.milliseconds(50)) { return }
            }
        }
    }

    /// Large heads with many fields, as fast as they are answered.
    func headers() {
        let fields = (0..<90).map { ("X-\($0)", String(repeating: "v", count: 300)) }
        start { [self] in
            while goesOn {
                let client = connect(16, 0)
                while goesOn, let client,
                    (try? client.request("/v2/", fields: fields))?.status == 200
                {
                    count("large heads")
                }
                if !pause(.milliseconds(10)) { return }
            }
        }
    }

    /// Looks for what is not there, and speaks no HTTP at times.
    func scanner() {
        let probes = [
            "GET /.env HTTP/1.1\r\nHost: a\r\n\r\n", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}",
            "GET /v2/../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\n\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HTTP/1.0\r\n\r\n",
            "POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n",
            "GET /v2/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET /v2/_catalog HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        ]
        start { [self] in
            while goesOn {
                for probe in probes {
                    let client = connect(17, 0)
                    try? client?.send(raw: probe)
                    client?.socket.finishSending()
                    _ = try? client?.rest(limit: 4096)
                    count("probes")
                }
                if !pause(.milliseconds(1)) { return }
            }
        }
    }
}

import Linux
import Testing

@Suite struct SocketAddressTests {
    @Test func numericHostsKeepTheirTextAndPort() throws {
        #expect(try SocketAddress(numeric: "127.0.0.1", port: 80).text == "127.0.0.1:80")
        #expect(try SocketAddress(numeric: "::1", port: 5000).text == "[::1]:5000")
    }

    @Test func aMappedAddressIsItsFourBytes() throws {
        #expect(try SocketAddress(numeric: "::ffff:10.1.2.3", port: 1).host == "10.1.2.3")
    }

    @Test func aNameIsRefused() {
        #expect(throws: Errno.self) { try SocketAddress(numeric: "localhost", port: 1) }
    }
}

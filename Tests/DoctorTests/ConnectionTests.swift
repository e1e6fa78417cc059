import Doctor
import Testing

@Suite("TCP connections")
struct ConnectionTests {
  @Test("A listener is reached at its port, by IPv4 too; a port without one is refused; names that nobody knows")
  func connections() throws {
    let listener = try ConnectionListener()
    #expect(ConnectionTest.failure(to: "127.0.0.1", port: listener.port) == nil)
    #expect(ConnectionTest.failure(to: "localhost", port: listener.port) == nil)
    listener.serve(seconds: 0.05) { false }
    #expect(ConnectionTest.failure(to: "127.0.0.1", port: listener.port)?.contains("refused") == true)
    #expect(ConnectionTest.failure(to: "no-such-host.invalid", port: 1)?.contains("name") == true)
  }
}

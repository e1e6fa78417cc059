import Foundation
import Glibc
import Nodes

/// Stream sockets by address: `unix:PATH` and `HOST:PORT`.
enum StreamSocket {
  private static let unixPrefix = "unix:"

  /// Connects within `timeout` seconds.
  ///
  /// - Returns: the descriptor, blocking, closed in programs started later.
  static func connect(_ address: String, timeout: Double) throws(LinkError) -> Int32 {
    address.hasPrefix(unixPrefix)
      ? try connect(path: String(address.dropFirst(unixPrefix.count)), address)
      : try connect(network: address, timeout)
  }

  /// - Returns: the descriptor, which listens, and its address.
  static func listen(path: String) throws(LinkError) -> (descriptor: Int32, address: String) {
    let address = unixPrefix + path
    let descriptor = socket(AF_UNIX, TCPSocket.streamType, 0)
    guard descriptor >= 0 else { throw failure(address, "a socket") }
    let code = withUnixAddress(path) { bind(descriptor, $0, $1) }
    guard code == 0, Glibc.listen(descriptor, 16) == 0 else {
      defer { close(descriptor) }
      throw failure(address, "a place to listen")
    }
    return (descriptor, address)
  }

  private static func connect(path: String, _ address: String) throws(LinkError) -> Int32 {
    let descriptor = socket(AF_UNIX, TCPSocket.streamType, 0)
    guard descriptor >= 0 else { throw failure(address, "a socket") }
    guard withUnixAddress(path, { Glibc.connect(descriptor, $0, $1) }) == 0 else {
      defer { close(descriptor) }
      throw failure(address, "a launcher that listens")
    }
    return descriptor
  }

  private static func connect(network address: String, _ timeout: Double) throws(LinkError) -> Int32 {
    guard let colon = address.lastIndex(of: ":") else {
      throw LinkError("the launcher's address: expected HOST:PORT, found \"\(address)\"")
    }
    let host = address[..<colon].trimmingCharacters(in: ["[", "]"])
    let port = String(address[address.index(after: colon)...])
    let descriptor: Int32
    do {
      descriptor = try TCPSocket.connect(
        to: host, port: port, flags: AI_NUMERICHOST | AI_NUMERICSERV, seconds: timeout)
    } catch {
      if error == .unknownName {
        throw LinkError("the launcher's address: expected an address and a port, found \"\(address)\"")
      }
      throw LinkError("\(address): expected a launcher that listens, found: \(error)")
    }
    prepare(descriptor)
    return descriptor
  }

  /// Text goes out as it is written, not when more has gathered; a machine that is gone is noticed.
  static func prepare(_ descriptor: Int32) {
    func set(_ level: Int32, _ option: Int32, _ value: Int32) {
      var value = value
      setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }
    set(Int32(IPPROTO_TCP), Int32(TCP_NODELAY), 1)
    set(SOL_SOCKET, SO_KEEPALIVE, 1)
    set(Int32(IPPROTO_TCP), Int32(TCP_KEEPIDLE), 2)
    set(Int32(IPPROTO_TCP), Int32(TCP_KEEPINTVL), 2)
    set(Int32(IPPROTO_TCP), Int32(TCP_KEEPCNT), 3)
  }

  private static func withUnixAddress(
    _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) -> Int32 {
    var name = sockaddr_un()
    name.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    let fits = withUnsafeMutableBytes(of: &name.sun_path) { target in
      guard bytes.count < target.count else { return false }
      target.copyBytes(from: bytes)
      return true
    }
    guard fits else {
      errno = ENAMETOOLONG
      return -1
    }
    return withUnsafePointer(to: &name) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
  }

  private static func failure(_ address: String, _ expected: String) -> LinkError {
    LinkError("\(address): expected \(expected), found: \(String(cString: strerror(errno)))")
  }
}

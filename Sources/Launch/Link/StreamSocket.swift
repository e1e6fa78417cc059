import Foundation
import Glibc

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
    let descriptor = socket(AF_UNIX, streamType, 0)
    guard descriptor >= 0 else { throw failure(address, "a socket") }
    let code = withUnixAddress(path) { bind(descriptor, $0, $1) }
    guard code == 0, Glibc.listen(descriptor, 16) == 0 else {
      defer { close(descriptor) }
      throw failure(address, "a place to listen")
    }
    return (descriptor, address)
  }

  /// Listens on all of this machine's networks, on a port that the system picks.
  static func listenOnNetwork() throws(LinkError) -> (descriptor: Int32, port: UInt16) {
    let descriptor = socket(AF_INET6, streamType, 0)
    guard descriptor >= 0 else { throw failure("a network", "a socket") }
    var off: Int32 = 0
    setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &off, socklen_t(MemoryLayout<Int32>.size))
    var name = sockaddr_in6()
    name.sin6_family = sa_family_t(AF_INET6)
    let isListening = withUnsafeMutablePointer(to: &name) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        var size = socklen_t(MemoryLayout<sockaddr_in6>.size)
        return bind(descriptor, address, size) == 0 && Glibc.listen(descriptor, 16) == 0
          && getsockname(descriptor, address, &size) == 0
      }
    }
    guard isListening else {
      defer { close(descriptor) }
      throw failure("a network", "a place to listen")
    }
    return (descriptor, UInt16(bigEndian: name.sin6_port))
  }

  private static var streamType: Int32 { Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) }

  private static func connect(path: String, _ address: String) throws(LinkError) -> Int32 {
    let descriptor = socket(AF_UNIX, streamType, 0)
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
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, String(address[address.index(after: colon)...]), &hints, &found) == 0, let found else {
      throw LinkError("the launcher's address: expected an address and a port, found \"\(address)\"")
    }
    defer { freeaddrinfo(found) }
    let descriptor = socket(found.pointee.ai_family, streamType | Int32(SOCK_NONBLOCK.rawValue), 0)
    guard descriptor >= 0 else { throw failure(address, "a socket") }
    var code = Glibc.connect(descriptor, found.pointee.ai_addr, found.pointee.ai_addrlen)
    if code != 0, errno == EINPROGRESS { code = awaitConnection(descriptor, timeout) }
    guard code == 0 else {
      defer { close(descriptor) }
      throw failure(address, "a launcher that listens")
    }
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK)
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

  private static func awaitConnection(_ descriptor: Int32, _ timeout: Double) -> Int32 {
    var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    guard poll(&wait, 1, Int32(timeout * 1000)) == 1 else {
      errno = ETIMEDOUT
      return -1
    }
    var code: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size)
    errno = code
    return code == 0 ? 0 : -1
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

/// Whole writes and reads on plain descriptors.
enum Descriptor {
  /// Closed in programs started later.
  static func pipe() throws(LaunchError) -> (read: Int32, write: Int32) {
    var ends: [Int32] = [0, 0]
    guard Glibc.pipe(&ends) == 0 else {
      throw LaunchError("a pipe: expected to make one, found: \(String(cString: strerror(errno)))")
    }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return (ends[0], ends[1])
  }

  /// - Returns: false where the other end is gone.
  @discardableResult
  static func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + done, bytes.count - done) }
      if count > 0 {
        done += count
      } else if errno == EAGAIN {
        // A terminal that somebody made non-blocking.
        var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        _ = poll(&wait, 1, -1)
      } else if errno != EINTR {
        return false
      }
    }
    return true
  }

  /// What is there, at most 64 KiB; blocks while nothing is.
  ///
  /// - Returns: nothing at the end.
  static func read(_ descriptor: Int32) -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count >= 0 { return Array(buffer[..<count]) }
      if errno != EINTR { return [] }
    }
  }
}

import Glibc

/// Plain TCP between nodes. Descriptors are closed in programs started later.
package enum TCPSocket {
  package enum Failure: Error, Equatable, CustomStringConvertible {
    case unknownName
    /// After so many seconds.
    case timedOut(Double)
    /// The system's error number.
    case system(Int32)

    package var description: String {
      switch self {
      case .unknownName: "the name is not known there"
      case .timedOut(let seconds): "no answer in \(Int(seconds)) s"
      case .system(let code): String(cString: strerror(code))
      }
    }
  }

  /// Waits for connections on all of this machine's addresses, on a port that the system picks.
  package static func listen() throws(Failure) -> (descriptor: Int32, port: Int) {
    let version6 = socket(AF_INET6, streamType, 0)
    let isVersion6 = version6 >= 0
    let descriptor = isVersion6 ? version6 : socket(AF_INET, streamType, 0)
    guard descriptor >= 0 else { throw .system(errno) }
    var off: Int32 = 0
    if isVersion6 {
      setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &off, socklen_t(MemoryLayout<Int32>.size))
    }
    // Zeros: any address, any port.
    var name = sockaddr_storage()
    name.ss_family = sa_family_t(isVersion6 ? AF_INET6 : AF_INET)
    let length = socklen_t(isVersion6 ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size)
    let isListening = withUnsafeMutablePointer(to: &name) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return bind(descriptor, address, length) == 0 && Glibc.listen(descriptor, 64) == 0
          && getsockname(descriptor, address, &size) == 0
      }
    }
    guard isListening else {
      let code = errno
      close(descriptor)
      throw .system(code)
    }
    // Of both families the port stands at the same place.
    let port = withUnsafeBytes(of: &name) { UInt16(bigEndian: $0.load(fromByteOffset: 2, as: UInt16.self)) }
    return (descriptor, Int(port))
  }

  /// - Parameters:
  ///   - flags: for `getaddrinfo`.
  ///   - seconds: until it counts as one that does not answer.
  /// - Returns: the descriptor, blocking.
  package static func connect(
    to host: String, port: String, flags: Int32 = 0, seconds: Double
  ) throws(Failure) -> Int32 {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = flags
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, port, &hints, &found) == 0, let found else { throw .unknownName }
    defer { freeaddrinfo(found) }
    let descriptor = socket(found.pointee.ai_family, streamType | Int32(SOCK_NONBLOCK.rawValue), 0)
    guard descriptor >= 0 else { throw .system(errno) }
    var failure: Failure?
    if Glibc.connect(descriptor, found.pointee.ai_addr, found.pointee.ai_addrlen) != 0 {
      failure = errno == EINPROGRESS ? wait(for: descriptor, seconds) : .system(errno)
    }
    if let failure {
      close(descriptor)
      throw failure
    }
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK)
    return descriptor
  }

  /// - Returns: why a connection under way did not come about; nil where it did.
  private static func wait(for descriptor: Int32, _ seconds: Double) -> Failure? {
    var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    guard poll(&ready, 1, Int32(seconds * 1000)) > 0 else { return .timedOut(seconds) }
    var code: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size) == 0 else { return .system(errno) }
    return code == 0 ? nil : .system(code)
  }

  /// Of a stream's socket, closed in programs started later.
  package static var streamType: Int32 { Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) }
}

import Foundation
import Glibc
import Synchronization

/// Which names mean the machine that this program runs on, as `mpirun` has it: `localhost`, its own name with or
/// without a domain, and what leads to an address of one of its interfaces.
public final class LocalHost: Sendable {
  public static let current = LocalHost(
    name: ProcessInfo.processInfo.hostName, addresses: interfaceAddresses(), lookup: addresses(of:))

  private let name: String
  private let addresses: Set<String>
  private let lookup: @Sendable (String) -> [String]
  /// Asking for a name may take seconds.
  private let known = Mutex<[String: Bool]>([:])

  /// - Parameters:
  ///   - addresses: in numbers, of all interfaces.
  ///   - lookup: addresses of a name, in numbers.
  package init(name: String, addresses: Set<String>, lookup: @escaping @Sendable (String) -> [String]) {
    self.name = Self.node(name)
    self.addresses = addresses
    self.lookup = lookup
  }

  /// - Parameter host: as a hostfile has it.
  public func isNamed(_ host: String) -> Bool {
    let node = Self.node(host)
    if node == "localhost" || node == name || addresses.contains(node) { return true }
    if let answer = known.withLock({ $0[host] }) { return answer }
    let answer = lookup(NodeName.host(host)).contains(where: addresses.contains)
    known.withLock { $0[host] = answer }
    return answer
  }

  /// Whether two names are of one node.
  func isSame(_ first: String, _ second: String) -> Bool {
    Self.node(first) == Self.node(second) || isNamed(first) && isNamed(second)
  }

  /// What tells nodes apart: the name without user and domain, or the address.
  static func node(_ host: String) -> String {
    let bare = NodeName.host(host)
    let isAddress = bare.contains(":") || bare.utf8.allSatisfy { (48...57).contains($0) || $0 == UInt8(ascii: ".") }
    return isAddress ? bare : bare.split(separator: ".").first.map(String.init) ?? bare
  }

  private static func interfaceAddresses() -> Set<String> {
    var list: UnsafeMutablePointer<ifaddrs>?
    guard getifaddrs(&list) == 0 else { return [] }
    defer { freeifaddrs(list) }
    let entries = sequence(first: list, next: { $0?.pointee.ifa_next }).prefix { $0 != nil }
    return Set(entries.compactMap { $0?.pointee.ifa_addr }.compactMap { text($0) })
  }

  private static func addresses(of name: String) -> [String] {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(name, nil, &hints, &list) == 0 else { return [] }
    defer { freeaddrinfo(list) }
    return sequence(first: list, next: { $0?.pointee.ai_next }).prefix { $0 != nil }
      .compactMap { $0?.pointee.ai_addr }.compactMap { text($0) }
  }

  private static func text(_ address: UnsafeMutablePointer<sockaddr>) -> String? {
    let size: Int
    switch Int32(address.pointee.sa_family) {
    case AF_INET: size = MemoryLayout<sockaddr_in>.size
    case AF_INET6: size = MemoryLayout<sockaddr_in6>.size
    default: return nil
    }
    var buffer = [CChar](repeating: 0, count: Int(NI_MAXHOST))
    guard getnameinfo(address, socklen_t(size), &buffer, socklen_t(buffer.count), nil, 0, NI_NUMERICHOST) == 0
    else { return nil }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

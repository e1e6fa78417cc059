import Glibc

/// An address of this machine in a network, without loopback.
struct NetworkInterface: Equatable {
  let name: String
  let address: String
  /// Of an IPv4 address in host order; nil for IPv6.
  let bits: UInt32?
  let mask: UInt32

  var bracketedAddress: String { bits == nil ? "[\(address)]" : address }

  /// "10.0.0.0/24"
  var range: String? {
    bits.map { bits in
      let network = bits & mask
      let bytes = [24, 16, 8, 0].map { String((network >> UInt32($0)) & 255) }
      return bytes.joined(separator: ".") + "/\(mask.nonzeroBitCount)"
    }
  }

  func contains(_ address: UInt32) -> Bool { bits.map { ($0 ^ address) & mask == 0 } ?? false }

  /// Of interfaces that are up; addresses that only hold on a link are left out.
  static func all() -> [NetworkInterface] {
    var list: UnsafeMutablePointer<ifaddrs>?
    guard getifaddrs(&list) == 0 else { return [] }
    defer { freeifaddrs(list) }
    var found: [NetworkInterface] = []
    var entry = list
    while let current = entry {
      if let interface = NetworkInterface(current.pointee) { found.append(interface) }
      entry = current.pointee.ifa_next
    }
    return found
  }

  private init?(_ entry: ifaddrs) {
    guard let address = entry.ifa_addr, entry.ifa_flags & UInt32(IFF_UP) != 0,
      entry.ifa_flags & UInt32(IFF_LOOPBACK) == 0
    else { return nil }
    switch Int32(address.pointee.sa_family) {
    case AF_INET:
      bits = Self.bits(address)
      mask = entry.ifa_netmask.map(Self.bits) ?? .max
    case AF_INET6:
      (bits, mask) = (nil, 0)
    default: return nil
    }
    name = String(cString: entry.ifa_name)
    guard let text = Self.text(address), !text.hasPrefix("fe80") else { return nil }
    self.address = text
  }

  init(name: String, address: String, bits: UInt32?, mask: UInt32) {
    (self.name, self.address, self.bits, self.mask) = (name, address, bits, mask)
  }

  private static func bits(_ address: UnsafeMutablePointer<sockaddr>) -> UInt32 {
    address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { UInt32(bigEndian: $0.pointee.sin_addr.s_addr) }
  }

  private static func text(_ address: UnsafeMutablePointer<sockaddr>) -> String? {
    let size =
      Int32(address.pointee.sa_family) == AF_INET ? MemoryLayout<sockaddr_in>.size : MemoryLayout<sockaddr_in6>.size
    var buffer = [CChar](repeating: 0, count: 128)
    guard getnameinfo(address, socklen_t(size), &buffer, 128, nil, 0, NI_NUMERICHOST) == 0 else { return nil }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// The IPv4 address of a host, loopback included; nil where its name has none.
  static func address(of host: String) -> UInt32? {
    var hints = addrinfo()
    hints.ai_family = AF_INET
    var found: UnsafeMutablePointer<addrinfo>?
    let bare = host.split(separator: "@").last.map(String.init) ?? host
    guard getaddrinfo(bare, nil, &hints, &found) == 0, let found else { return nil }
    defer { freeaddrinfo(found) }
    return bits(found.pointee.ai_addr)
  }

  /// The network of this machine in which all of the others are.
  ///
  /// - Parameters:
  ///   - others: IPv4 addresses; loopback ones are this machine.
  /// - Returns: nil where there is none, or nobody else.
  static func shared(with others: [UInt32], of interfaces: [NetworkInterface]) -> NetworkInterface? {
    let remote = others.filter { $0 >> 24 != 127 }
    guard !remote.isEmpty else { return nil }
    return interfaces.first { interface in remote.allSatisfy(interface.contains) }
  }
}

/// Finds out through which network nodes reach each other.
public enum NetworkRange {
  /// The range of this machine's network that holds all hosts; nil where there is none or nobody else.
  public static func shared(by hosts: [String]) -> String? {
    let addresses = hosts.map(NetworkInterface.address(of:))
    guard addresses.allSatisfy({ $0 != nil }) else { return nil }
    return NetworkInterface.shared(with: addresses.compactMap { $0 }, of: NetworkInterface.all())?.range
  }
}

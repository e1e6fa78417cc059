import Glibc

/// A range of IPv4 addresses in CIDR form.
package struct NetworkRange: CustomStringConvertible {
  package let description: String
  private let base: UInt32
  private let mask: UInt32

  package init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let base = Self.number(String(parts[0])), let prefix = Int(parts[1]),
      (0...32).contains(prefix)
    else { return nil }
    description = text
    mask = prefix == 0 ? 0 : ~UInt32(0) << UInt32(32 - prefix)
    self.base = base & mask
  }

  package func contains(_ address: String) -> Bool { Self.number(address).map { $0 & mask == base } ?? false }

  private static func number(_ address: String) -> UInt32? {
    let parts = address.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
    guard parts.count == 4, !parts.contains(nil) else { return nil }
    return parts.reduce(0) { $0 << 8 | UInt32($1!) }
  }
}

extension NetworkRange {
  /// The network of this machine that holds all hosts; nil where there is none or nobody else.
  package static func shared(by hosts: [String]) -> String? {
    let addresses = hosts.map(address(of:))
    guard addresses.allSatisfy({ $0 != nil }) else { return nil }
    let remote = addresses.compactMap(\.self).filter { !$0.hasPrefix("127.") }
    guard !remote.isEmpty else { return nil }
    let own = NetworkInterface.ofThisMachine().filter { !$0.isLoopback }.flatMap(\.addresses).filter(\.isIPv4)
    return own.map(\.network).first { network in
      NetworkRange(network).map { range in remote.allSatisfy(range.contains) } ?? false
    }
  }

  /// The IPv4 address of a host, loopback included; nil where its name has none.
  private static func address(of host: String) -> String? {
    var hints = addrinfo()
    hints.ai_family = AF_INET
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(NodeName.host(host), nil, &hints, &found) == 0, let found else { return nil }
    defer { freeaddrinfo(found) }
    return NetworkAddress.bytes(found.pointee.ai_addr, AF_INET).flatMap { NetworkAddress.text($0, AF_INET) }
  }
}

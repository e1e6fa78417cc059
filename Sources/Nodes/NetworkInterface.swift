import Foundation

/// A network interface that is up and has an IP address.
public struct NetworkInterface: Codable, Sendable, Equatable {
  public var name: String
  public var addresses: [NetworkAddress]
  /// What the link was negotiated to; nil where the system does not tell, as for virtual ones.
  public var bitsPerSecond: Int?
  public var isWireless: Bool
  public var isLoopback: Bool

  public init(
    name: String, addresses: [NetworkAddress], bitsPerSecond: Int? = nil, isWireless: Bool = false,
    isLoopback: Bool = false
  ) {
    self.name = name
    self.addresses = addresses
    self.bitsPerSecond = bitsPerSecond
    self.isWireless = isWireless
    self.isLoopback = isLoopback
  }

  package static func ofThisMachine() -> [NetworkInterface] {
    var list: UnsafeMutablePointer<ifaddrs>?
    guard getifaddrs(&list) == 0 else { return [] }
    defer { freeifaddrs(list) }
    var found: [NetworkInterface] = []
    var next = list
    while let entry = next?.pointee {
      next = entry.ifa_next
      guard entry.ifa_flags & UInt32(IFF_UP) != 0, let address = NetworkAddress(entry) else { continue }
      let name = String(cString: entry.ifa_name)
      if let index = found.firstIndex(where: { $0.name == name }) {
        found[index].addresses.append(address)
        continue
      }
      let folder = "/sys/class/net/\(name)"
      found.append(
        NetworkInterface(
          name: name, addresses: [address], bitsPerSecond: speed(folder),
          isWireless: FileManager.default.fileExists(atPath: folder + "/wireless"),
          isLoopback: entry.ifa_flags & UInt32(IFF_LOOPBACK) != 0))
    }
    return found
  }

  /// Virtual interfaces claim speeds that nothing has.
  private static func speed(_ folder: String) -> Int? {
    guard FileManager.default.fileExists(atPath: folder + "/device"),
      let text = try? String(contentsOfFile: folder + "/speed", encoding: .utf8),
      let megabits = Int(text.trimmingCharacters(in: .whitespacesAndNewlines)), megabits > 0, megabits < 10_000_000
    else { return nil }
    return megabits * 1_000_000
  }
}

/// An IPv4 or IPv6 address and the network that it belongs to.
public struct NetworkAddress: Codable, Sendable, Equatable, Hashable {
  public var address: String
  /// Leading bits that all addresses of the network share.
  public var prefix: Int
  /// In CIDR form, as Open MPI takes it.
  public var network: String

  public init(address: String, prefix: Int, network: String) {
    self.address = address
    self.prefix = prefix
    self.network = network
  }

  public var isIPv4: Bool { !address.contains(":") }

  /// Link-local IPv6 addresses are left out: they say nothing about who reaches whom.
  init?(_ entry: ifaddrs) {
    guard let address = entry.ifa_addr, let mask = entry.ifa_netmask else { return nil }
    let family = Int32(address.pointee.sa_family)
    guard let bytes = Self.bytes(address, family), let mask = Self.bytes(mask, family) else { return nil }
    if family == AF_INET6, bytes[0] == 0xFE, bytes[1] & 0xC0 == 0x80 { return nil }
    let prefix = mask.reduce(0) { $0 + $1.nonzeroBitCount }
    guard let text = Self.text(bytes, family), let network = Self.text(zip(bytes, mask).map { $0 & $1 }, family) else {
      return nil
    }
    self.init(address: text, prefix: prefix, network: "\(network)/\(prefix)")
  }

  package static func bytes(_ address: UnsafePointer<sockaddr>, _ family: Int32) -> [UInt8]? {
    switch family {
    case AF_INET:
      return address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
        withUnsafeBytes(of: $0.pointee.sin_addr) { Array($0) }
      }
    case AF_INET6:
      return address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
        withUnsafeBytes(of: $0.pointee.sin6_addr) { Array($0) }
      }
    default: return nil
    }
  }

  package static func text(_ bytes: [UInt8], _ family: Int32) -> String? {
    var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    guard bytes.withUnsafeBytes({ inet_ntop(family, $0.baseAddress, &buffer, socklen_t(INET6_ADDRSTRLEN)) }) != nil
    else { return nil }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

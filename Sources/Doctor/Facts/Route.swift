import Foundation
import Nodes

/// The way from a node to another, as its own tables have it. Nothing is sent.
public struct Route: Codable, Sendable, Equatable {
  /// The other node, as it was named.
  public var peer: String
  /// What the name stands for there; nil where it is not known.
  public var address: String?
  /// The interface that leads there; nil where none does.
  public var interface: String?

  public init(peer: String, address: String?, interface: String?) {
    self.peer = peer
    self.address = address
    self.interface = interface
  }

  /// - Parameter peer: name or address.
  init(to peer: String, interfaces: [NetworkInterface]) {
    self.init(peer: peer, address: nil, interface: nil)
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(peer, "9", &hints, &list) == 0, let first = list?.pointee, let target = first.ai_addr else {
      return
    }
    defer { freeaddrinfo(list) }
    address = NetworkAddress.bytes(target, first.ai_family).flatMap { NetworkAddress.text($0, first.ai_family) }
    // A datagram socket that is connected has a source address, and has sent nothing.
    let descriptor = socket(first.ai_family, Int32(SOCK_DGRAM.rawValue), 0)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    guard connect(descriptor, target, first.ai_addrlen) == 0 else { return }
    var source = sockaddr_storage()
    var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let text = withUnsafeMutablePointer(to: &source) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address -> String? in
        guard getsockname(descriptor, address, &size) == 0 else { return nil }
        return NetworkAddress.bytes(address, first.ai_family).flatMap { NetworkAddress.text($0, first.ai_family) }
      }
    }
    // The source towards an own address is that address itself, but the bytes go through the loopback.
    interface = interfaces.first { $0.addresses.contains { $0.address == text } }?.name
  }
}

import Foundation
import Glibc
import Nodes

/// Where a launcher waits for its coordinator: a socket in a private folder, and one on the network where the
/// coordinator may run elsewhere.
struct LauncherListener {
  /// Those that listen.
  let descriptors: [Int32]
  let addresses: [String]
  let secret: String
  private let folder: String

  /// - Parameter isOnNetwork: whether there are other machines.
  init(isOnNetwork: Bool) throws {
    var name = Array((FileManager.default.temporaryDirectory.path + "/flotilla-XXXXXX").utf8CString)
    guard mkdtemp(&name) != nil else {
      throw LinkError("a temporary folder: expected to make one, found: \(String(cString: strerror(errno)))")
    }
    folder = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    secret = (0..<4).map { _ in String(format: "%08x", UInt32.random(in: .min ... .max)) }.joined()
    let local = try StreamSocket.listen(path: folder + "/launcher")
    guard isOnNetwork else {
      (descriptors, addresses) = ([local.descriptor], [local.address])
      return
    }
    let network: (descriptor: Int32, port: Int)
    do {
      network = try TCPSocket.listen()
    } catch {
      throw LinkError("a network: expected a place to listen, found: \(error)")
    }
    descriptors = [local.descriptor, network.descriptor]
    addresses =
      [local.address]
      + NetworkInterface.ofThisMachine().filter { !$0.isLoopback }.flatMap(\.addresses)
      .map { ($0.isIPv4 ? $0.address : "[\($0.address)]") + ":\(network.port)" }
  }

  func close() {
    for descriptor in descriptors { Glibc.close(descriptor) }
    unlink(folder + "/launcher")
    rmdir(folder)
  }
}

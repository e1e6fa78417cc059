import Foundation
import Kernels
import Nodes
import StrictJSON

/// Waits for TCP connections on a port that the system picks, as the ranks of a job do.
public struct ConnectionListener {
  public let port: Int
  private let descriptor: Int32

  /// On all addresses of this machine.
  ///
  /// - Throws: `NodeError`.
  public init() throws {
    do {
      (descriptor, port) = try TCPSocket.listen()
    } catch {
      throw NodeError("expected to listen, found \(error)")
    }
  }

  /// Takes connections and closes them until `seconds` are over.
  public func serve(seconds: Double, isCancelled: () -> Bool) {
    let end = MonotonicClock.seconds() + seconds
    while MonotonicClock.seconds() < end, !isCancelled() {
      var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      guard poll(&wait, 1, 100) > 0 else { continue }
      let taken = accept(descriptor, nil, nil)
      if taken >= 0 { close(taken) }
    }
    close(descriptor)
  }
}

/// Tries to open a connection.
public enum ConnectionTest {
  package static let unknownName = "\(TCPSocket.Failure.unknownName)"

  /// - Returns: nil where it worked, else why not.
  public static func failure(to host: String, port: Int, seconds: Double = 3) -> String? {
    do {
      close(try TCPSocket.connect(to: host, port: "\(port)", seconds: seconds))
      return nil
    } catch {
      return "\(error)"
    }
  }
}

/// A node as the others would reach it.
struct Peer: Sendable {
  let name: String
  /// Its address in the range that MPI is bound to; nil: whatever its name stands for.
  let address: String?

  init(_ node: Examination.Node, range: String?) {
    name = node.name
    let addresses = (node.facts?.interfaces ?? []).flatMap(\.addresses).map(\.address)
    address = range.flatMap { NetworkRange($0) }.flatMap { range in addresses.first(where: range.contains) }
  }
}

/// Has every node try to reach every other one.
struct ConnectionSurvey: Sendable {
  let nodes: [Peer]
  let shell: RemoteShell
  /// Path of flotilla on the nodes.
  let program: String
  let isCancelled: @Sendable () -> Bool

  /// Seconds that the listeners wait.
  private static let patience = 20.0

  /// - Returns: every ordered pair of nodes whose programs answered.
  func run() throws -> [Examination.Connection] {
    let ports = Gathering<Int>()
    let ended = Gathering<Bool>()
    let found = Gathering<[Examination.Connection]>()
    let end = MonotonicClock.seconds() + Self.patience
    let listening = nodes.count
    // Listeners and, once all ports are known or some are late, those who knock: all at the same time.
    concurrently(2 * nodes.count, most: 2 * nodes.count) { index in
      let node = index % listening
      if index < listening {
        listen(node, ports, until: { ended.count >= listening || MonotonicClock.seconds() > end })
      } else {
        let late = end - Self.patience / 2
        while ports.count < listening, MonotonicClock.seconds() < late, !isCancelled() { usleep(50_000) }
        found.set(node, knock(node, ports.values))
        ended.set(node, true)
      }
    }
    if isCancelled() { throw NodeInterrupted() }
    return nodes.indices.flatMap { found.values[$0] ?? [] }
  }

  private func listen(_ node: Int, _ ports: Gathering<Int>, until isOver: @escaping @Sendable () -> Bool) {
    let isCancelled = isCancelled
    let link = NodeLink(host: nodes[node].name, shell: shell) { isCancelled() || isOver() }
    let command = ShellText.line([program, "doctor", "--this-node", "--listen", "\(Int(Self.patience))"])
    // Ended by us as a rule, which is no failure.
    _ = try? link.run(NodeScript.bytes("\(command) </dev/null")) { line in
      if line.hasPrefix("port "), let port = Int(line.dropFirst(5)) { ports.set(node, port) }
    }
  }

  private func knock(_ node: Int, _ ports: [Int: Int]) -> [Examination.Connection] {
    let peers = nodes.indices.filter { $0 != node && ports[$0] != nil }
    guard !peers.isEmpty else { return [] }
    let isCancelled = isCancelled
    let end = MonotonicClock.seconds() + Self.patience / 2
    let link = NodeLink(host: nodes[node].name, shell: shell) { isCancelled() || MonotonicClock.seconds() > end }
    let targets = peers.map { "\(nodes[$0].address ?? NodeName.host(nodes[$0].name))=\(ports[$0]!)" }
      .joined(separator: ",")
    let command = ShellText.line([program, "doctor", "--this-node", "--knock", targets])
    var connections: [Examination.Connection] = []
    _ = try? link.run(NodeScript.bytes("\(command) </dev/null")) { line in
      // "knocked 0", or "knocked 0 why not".
      let words = line.split(separator: " ", maxSplits: 2).map(String.init)
      guard words.count >= 2, words[0] == "knocked", let index = Int(words[1]), peers.indices.contains(index) else {
        return
      }
      connections.append(
        Examination.Connection(
          from: nodes[node].name, to: nodes[peers[index]].name, address: nodes[peers[index]].address,
          port: ports[peers[index]]!, failure: words.count > 2 ? words[2] : nil))
    }
    return connections
  }
}

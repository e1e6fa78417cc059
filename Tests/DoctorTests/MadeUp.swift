import Doctor
import Foundation
import Inference
import Nodes

/// Examinations of made-up clusters in which nothing is wrong, for tests to put faults in.
enum MadeUp {
  static let hash = String(repeating: "ab", count: 32)
  static let manifest = String(repeating: "cd", count: 32)
  static let mpi = "Open MPI v4.1.4, package: Debian OpenMPI"

  static func address(_ text: String, _ prefix: Int, _ network: String) -> NetworkAddress {
    NetworkAddress(address: text, prefix: prefix, network: network)
  }

  static func facts(_ index: Int, of count: Int) -> NodeFacts {
    var facts = NodeFacts.ofThisMachine(version: "0.1.0", peers: [])
    facts.hostName = "host\(index)"
    facts.machine = .ofThisMachine(root: "/nonexistent")
    (facts.machine.cpu, facts.machine.governor, facts.machine.congestionControl) = (
      "Made-up CPU", "performance", "cubic"
    )
    facts.machine.hugePages = "madvise"
    (facts.instructionSet, facts.sockets, facts.domains, facts.cores, facts.processors) = ("avx2", 1, 1, 8, 16)
    (facts.memoryTotal, facts.memoryAvailable, facts.load) = (64 << 30, 60 << 30, 0.1)
    (facts.lockLimit, facts.fileLimit, facts.mpi) = (8 << 20, 4096, mpi)
    facts.interfaces = [
      NetworkInterface(name: "lo", addresses: [address("127.0.0.1", 8, "127.0.0.0/8")], isLoopback: true),
      NetworkInterface(
        name: "eno1", addresses: [address("10.0.0.\(index + 1)", 24, "10.0.0.0/24")], bitsPerSecond: 1_000_000_000),
    ]
    facts.routes = (0..<count).filter { $0 != index }.map {
      Route(peer: "n\($0)", address: "10.0.0.\($0 + 1)", interface: "eno1")
    }
    return facts
  }

  static func shell(_ index: Int) -> ShellFacts {
    var shell = ShellFacts()
    shell.hostName = "host\(index)"
    shell.system = "Linux 6.1 x86_64"
    (shell.processors, shell.memoryTotal, shell.memoryAvailable, shell.load) = (16, 64 << 30, 60 << 30, 0.1)
    (shell.mpirun, shell.hasDaemon, shell.diskFree) = ("mpirun (Open MPI) 4.1.4", true, 100 << 30)
    shell.program = .init(path: "/opt/flotilla", version: "0.1.0", hash: hash)
    (shell.manifest, shell.hasModel) = (manifest, true)
    shell.files = need(index).files
    return shell
  }

  static func need(_ index: Int) -> NodeNeed {
    NodeNeed(
      ranks: [index], roles: ["experts"], memoryBytes: 40 << 30,
      files: [.init(name: "config.json", bytes: 900), .init(name: "expert-00\(index).bundle", bytes: 1 << 30)],
      bundles: "\(index)")
  }

  static func node(_ index: Int, of count: Int) -> Examination.Node {
    Examination.Node(
      name: "n\(index)", need: need(index), seconds: 0.2, clockOffset: 0.01, shell: shell(index),
      facts: facts(index, of: count), damages: [])
  }

  static func measurement(_ count: Int) -> ClusterMeasurement {
    let pairs = (0..<count).flatMap { from in (0..<count).filter { $0 != from }.map { (from, $0) } }
    return ClusterMeasurement(
      mpi: mpi,
      ranks: (0..<count).map { rank in
        .init(hostName: "host\(rank)", carried: [InterfaceCount(name: "eno1", bytes: 500 << 20)])
      }, machines: [],
      links: pairs.map { .init(from: $0.0, to: $0.1, latencySeconds: 50e-6, bytesPerSecond: 115e6) })
  }

  static func cluster(_ count: Int = 3) -> Examination {
    var examination = Examination(
      date: "2026-01-01T00:00:00Z", command: "flotilla doctor", here: .init(version: "0.1.0", hash: hash, mpi: mpi),
      model: .init(name: "m", formats: "q4_K", path: "/models/m", manifest: manifest, contextSize: 4096),
      nodes: (0..<count).map { node($0, of: count) })
    examination.network = .init(range: nil, measurement: count > 1 ? measurement(count) : nil)
    return examination
  }
}

import Foundation
import Inference
import Nodes

/// Measures every node and every link, and describes the cluster.
public struct ClusterCalibration: Sendable {
  private let request: DoctorRequest
  private let isCancelled: @Sendable () -> Bool

  public init(_ request: DoctorRequest, isCancelled: @escaping @Sendable () -> Bool) {
    self.request = request
    self.isCancelled = isCancelled
  }

  /// Asks the nodes, then runs one job over all of them.
  ///
  /// - Parameters:
  ///   - options: of `calibrate`, for the ranks of the job.
  ///   - progress: what is being done.
  /// - Throws: `NodeFailures` with all nodes that cannot take part, `NodeError` where the job fails, `NodeInterrupted`.
  public func run(options: [String], limit: Double, progress: @escaping @Sendable (String) -> Void) throws
    -> ClusterDescription
  {
    progress("asking the nodes")
    let nodes = try DoctorRun(request, isCancelled: isCancelled, progress: { _, _, _ in }).ask()
    let diagnosis = Diagnosis(
      of: Examination(
        date: "", command: request.command, here: request.here, model: nil, nodes: nodes))
    var failures = diagnosis.findings.filter { $0.grade == .red }.map { finding in
      NodeError("\(finding.subject.rawValue): \(finding.text)", node: finding.node ?? "", hint: finding.advice)
    }
    if let last = failures.indices.last {
      let advice = failures[last].hint
      failures[last].hint = (advice.isEmpty ? "" : "\(advice); ") + "flotilla doctor with the same nodes tells more"
      throw NodeFailures(errors: failures)
    }
    progress("measuring")
    let job = NodeJob(
      hosts: request.hosts, shell: request.shell, range: request.range, program: request.program, limit: limit)
    let measurement = try job.measurement(includesMachines: true, options: options, isCancelled: isCancelled)
      .inOrder(of: nodes.map { $0.facts?.hostName ?? "" })
    return try Self.description(nodes, measurement, request)
  }

  static func description(
    _ nodes: [Examination.Node], _ measurement: ClusterMeasurement, _ request: DoctorRequest, date: Date = Date()
  ) throws -> ClusterDescription {
    guard measurement.machines.count == nodes.count else {
      throw NodeError("expected the speeds of \(nodes.count) nodes, found \(measurement.machines.count)")
    }
    let described = try nodes.indices.map { index in
      guard let facts = nodes[index].facts, let total = facts.memoryTotal else {
        throw NodeError("expected the node to tell its memory, found nothing", node: nodes[index].name)
      }
      return node(nodes[index].name, facts, total, measurement.machines[index], measurement.ranks[index])
    }
    return ClusterDescription(
      date: date.formatted(.iso8601), flotilla: request.here.version, command: request.command,
      transport: .init(mpi: measurement.mpi, network: request.range), nodes: described,
      links: .init(measurement.links, nodes: nodes.count)
    ).rounded
  }

  private static func node(
    _ name: String, _ facts: NodeFacts, _ total: Int, _ machine: Calibration.Host, _ rank: ClusterMeasurement.Rank
  ) -> ClusterDescription.Node {
    ClusterDescription.Node(
      name: name, cpu: facts.machine.cpu, sockets: facts.sockets, domains: facts.domains, cores: facts.cores,
      processors: facts.processors,
      memoryBytes: .init(total: total, available: min(total, max(0, facts.memoryAvailable ?? total))),
      instructionSet: machine.instructionSet, readBytesPerSecond: machine.readBytesPerSecond,
      multiplyAddsF32PerSecond: machine.multiplyAddsF32PerSecond,
      multiplyAddsInt8PerSecond: machine.multiplyAddsInt8PerSecond, products: machine.products, costs: machine.costs,
      cacheBytes: facts.machine.lastLevelCacheBytes, messageCost: rank.messageCost, interface: rank.carried.first?.name,
      congestionControl: facts.machine.congestionControl, governor: facts.machine.governor)
  }
}

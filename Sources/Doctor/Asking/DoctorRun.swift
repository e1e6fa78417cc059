import Checkpoint
import Foundation
import Inference
import Nodes

/// What the doctor is asked to look at.
public struct DoctorRequest: Sendable {
  public var hosts: [Hostfile.Host]
  /// By host.
  public var needs: [NodeNeed]
  public var model: Examination.Model?
  public var shell: RemoteShell
  /// Path of flotilla on the nodes.
  public var program: String
  public var here: Examination.Reference
  /// The address range that MPI is to be bound to.
  public var range: String?
  /// Whether hashes of bundles are compared.
  public var verifies: Bool
  /// Whether an MPI job measures the links.
  public var measures: Bool
  /// Seconds until a node counts as one that does not answer.
  public var limit: Double
  /// The command line.
  public var command: String

  public init(
    hosts: [Hostfile.Host], needs: [NodeNeed], model: Examination.Model?, shell: RemoteShell,
    program: String, here: Examination.Reference, range: String?, verifies: Bool, measures: Bool, limit: Double,
    command: String
  ) {
    self.hosts = hosts
    self.needs = needs
    self.model = model
    self.shell = shell
    self.program = program
    self.here = here
    self.range = range
    self.verifies = verifies
    self.measures = measures
    self.limit = limit
    self.command = command
  }
}

/// Looks at all nodes at the same time, then at the links between them. Changes nothing anywhere.
public struct DoctorRun: Sendable {
  private let request: DoctorRequest
  private let isCancelled: @Sendable () -> Bool
  /// What is being done, and how far it is.
  private let progress: @Sendable (String, _ done: Int, _ total: Int) -> Void

  /// Nodes that are asked at a time; each takes a thread.
  private static let mostAtATime = 64

  public init(
    _ request: DoctorRequest, isCancelled: @escaping @Sendable () -> Bool,
    progress: @escaping @Sendable (String, _ done: Int, _ total: Int) -> Void
  ) {
    self.request = request
    self.isCancelled = isCancelled
    self.progress = progress
  }

  /// - Throws: `NodeInterrupted`, and what is wrong with the request.
  public func examine(date: Date = Date()) throws -> Examination {
    var nodes = try ask()
    if request.verifies { try verify(&nodes) }
    var examination = Examination(
      date: date.formatted(.iso8601), command: request.command, here: request.here, model: request.model, nodes: nodes)
    examination.network = try network(nodes)
    return examination
  }

  /// What each node says; nodes that do not answer are among them.
  public func ask() throws -> [Examination.Node] {
    let answers = Gathering<Examination.Node>()
    let isCancelled = isCancelled
    let names = request.hosts.map { NodeName.host($0.name) }
    concurrently(request.hosts.count, most: Self.mostAtATime, tick: { tick("nodes", answers.count) }) { index in
      let question = NodeQuestion(
        name: request.hosts[index].name, need: request.needs[index], shell: request.shell,
        program: request.program, model: request.model?.path, peers: names.filter { $0 != names[index] },
        limit: request.limit, isCancelled: isCancelled)
      if let node = try? question.ask() { answers.set(index, node) }
    }
    if isCancelled() { throw NodeInterrupted() }
    return request.hosts.indices.compactMap { answers.values[$0] }
  }

  private func tick(_ what: String, _ done: Int) { progress(what, done, request.hosts.count) }

  // MARK: Hashes

  private func verify(_ nodes: inout [Examination.Node]) throws {
    let targets = nodes.indices.filter { index in
      nodes[index].facts != nil && nodes[index].need.bundles != nil && nodes[index].shell?.hasModel == true
        && nodes[index].shell?.manifest == request.model?.manifest
    }
    guard !targets.isEmpty else { return }
    let found = Gathering<[Examination.Damage]>()
    let bytes = Gathering<(Int, Int)>()
    let isCancelled = isCancelled
    let asked = nodes
    concurrently(
      targets.count, most: Self.mostAtATime,
      tick: {
        let all = bytes.values.values
        progress("hashes", all.reduce(0) { $0 + $1.0 }, max(1, all.reduce(0) { $0 + $1.1 }))
      }
    ) { index in
      let node = asked[targets[index]]
      let question = NodeQuestion(
        name: node.name, need: node.need, shell: request.shell,
        program: node.shell?.program?.path ?? request.program, model: request.model?.path, peers: [],
        limit: request.limit, isCancelled: isCancelled)
      do {
        found.set(index, try question.verify(Self.present(node)) { bytes.set(index, ($0, $1)) })
      } catch {
        let text = (error as? NodeError)?.text ?? "\(error)"
        found.set(index, [Examination.Damage(file: "hashes", text: "could not be compared: \(text)")])
      }
    }
    if isCancelled() { throw NodeInterrupted() }
    for (index, damages) in found.values { nodes[targets[index]].damages = damages }
  }

  /// Bundles that are needed and lie there, as people list them: those that are missing are a finding already.
  private static func present(_ node: Examination.Node) -> String {
    let there = Set((node.shell?.files ?? []).map(\.name))
    let bundles = node.need.files.map(\.name).filter(there.contains).compactMap { name in
      name.hasSuffix(".bundle") ? BundleName(String(name.dropLast(7))) : nil
    }
    return BundleName.list(bundles.sorted())
  }

  // MARK: Links

  private func network(_ nodes: [Examination.Node]) throws -> Examination.Network? {
    // A job over nodes that do not answer would only wait for them.
    guard request.measures, nodes.count > 1, nodes.allSatisfy({ $0.facts != nil }) else {
      return request.range.map { Examination.Network(range: $0, measurement: nil) }
    }
    // Takes a second, where a job over nodes that do not reach each other would wait for minutes.
    progress("connections", 0, 1)
    let connections = try ConnectionSurvey(
      nodes: nodes.map { Peer($0, range: request.range) }, shell: request.shell, program: request.program,
      isCancelled: isCancelled
    ).run()
    var network = Examination.Network(range: request.range, measurement: nil, connections: connections)
    if connections.contains(where: { $0.isBlocked }) {
      network.failure = Examination.Failure(text: "not started", hint: "first the connections between nodes, above")
      return network
    }
    let pairs = Double(nodes.count * (nodes.count - 1))
    let job = NodeJob(
      hosts: request.hosts, shell: request.shell, range: request.range, program: request.program,
      limit: 60 + 2 * pairs)
    progress("links", 0, 1)
    do {
      let found = try job.measurement(includesMachines: false, isCancelled: isCancelled)
      network.measurement = found.inOrder(of: nodes.map { $0.facts?.hostName ?? "" })
    } catch let error as NodeError where !error.isUsage {
      network.failure = Examination.Failure(text: error.text, hint: error.hint)
    }
    return network
  }
}

extension ClusterMeasurement {
  /// The same with ranks in the order of nodes: mpirun may put the machine that it runs on first.
  ///
  /// - Parameter hostNames: of the nodes; where two share one, ranks are taken to be in the order of nodes already.
  package func inOrder(of hostNames: [String]) -> ClusterMeasurement {
    let found = ranks.map(\.hostName)
    guard Set(found).count == found.count, Set(found) == Set(hostNames) else { return self }
    let old = hostNames.map { found.firstIndex(of: $0)! }
    let new = Dictionary(uniqueKeysWithValues: old.enumerated().map { ($0.element, $0.offset) })
    var sorted = self
    sorted.ranks = old.map { ranks[$0] }
    sorted.machines = machines.isEmpty ? [] : old.map { machines[$0] }
    sorted.links = links.map { link in
      var link = link
      (link.from, link.to) = (new[link.from]!, new[link.to]!)
      return link
    }.sorted { ($0.from, $0.to) < ($1.from, $1.to) }
    return sorted
  }
}

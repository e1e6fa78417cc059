import Checkpoint
import Foundation
import Nodes
import Synchronization

/// Brings every node its bundles. Three steps, each for all nodes at once: ``survey()`` looks and changes nothing,
/// ``claim()`` makes the folders and finds nodes that share one, ``send(tick:)`` does the work.
public final class PushRun: Sendable {
  let request: PushRequest
  let isCancelled: @Sendable () -> Bool
  let scripts: NodeScripts
  private let hashes: SourceHashes
  /// Guards what threads of nodes write.
  struct Progress {
    var states: [NodeState]
    var surveys: [Survey?]
    var verifiers: [Verifier?]
    var events: [PushEvent] = []
  }
  let progress: Mutex<Progress>

  /// Of small questions; each takes a thread.
  static let mostAtATime = 32

  /// - Parameter isCancelled: asked often, from any thread.
  public init(_ request: PushRequest, isCancelled: @escaping @Sendable () -> Bool) {
    self.request = request
    self.isCancelled = isCancelled
    scripts = NodeScripts(
      folder: request.destination, run: String(UInt64.random(in: .min ... .max), radix: 36))
    hashes = SourceHashes(request.manifest, of: request.source)
    let nodes = request.plan.nodes
    progress = Mutex(
      Progress(
        states: nodes.map {
          NodeState(host: $0.host, bundles: $0.bundles, bytes: request.plan.bytes(of: $0.bundles))
        },
        surveys: nodes.map { _ in nil }, verifiers: nodes.map { _ in nil }))
  }

  /// How far each node is, in the order of the hostfile.
  public var states: [NodeState] { progress.withLock { $0.states } }

  /// What happened since the last call.
  public func takeEvents() -> [PushEvent] {
    progress.withLock { progress in
      defer { progress.events = [] }
      return progress.events
    }
  }

  func link(_ node: Int) -> NodeLink {
    NodeLink(host: request.plan.nodes[node].host, shell: request.shell, isCancelled: isCancelled)
  }

  /// Runs `body` for each node; what it throws is gathered.
  ///
  /// - Throws: ``PushInterrupted``, ``PushFailures`` in the order of the nodes.
  func forEach(_ nodes: [Int], _ body: @escaping @Sendable (Int) throws -> Void) throws {
    let failures = Gathered()
    concurrently(nodes.count, most: Self.mostAtATime) { index in
      do { try body(nodes[index]) } catch { failures.add(error, node: nodes[index]) }
    }
    try failures.rethrow()
  }

  func settle(_ node: Int, _ phase: NodeState.Phase) {
    progress.withLock {
      $0.states[node].phase = phase
      $0.events.append(PushEvent(node: node, kind: .settled))
    }
  }

  func say(_ node: Int, _ kind: PushEvent.Kind) {
    progress.withLock { $0.events.append(PushEvent(node: node, kind: kind)) }
  }

  /// Sends, verifies, and finishes; a node that fails does not hold up the others.
  ///
  /// - Parameter tick: called on this thread ten times a second.
  public func send(tick: () -> Void) throws {
    let nodes = states.indices.filter { states[$0].phase == .waiting }
    let failures = Gathered()
    concurrently(nodes.count, most: request.parallel, tick: tick) { index in
      let node = nodes[index]
      do {
        if self.isCancelled() { throw PushInterrupted() }
        try self.push(node)
        self.settle(node, .finished)
      } catch is PushInterrupted {
        failures.add(PushInterrupted(), node: node)
        self.settle(node, .interrupted)
      } catch {
        var failure = error as? PushError ?? PushError("\(error)")
        if failure.node.isEmpty { failure.node = self.request.plan.nodes[node].host }
        failures.add(failure, node: node)
        self.say(node, .failed(failure))
        self.settle(node, .failed)
      }
    }
    try failures.rethrow()
  }

  private func push(_ node: Int) throws {
    let (state, survey, verifier) = progress.withLock { ($0.states[node], $0.surveys[node], $0.verifiers[node]) }
    guard let survey, let verifier else { preconditionFailure("\(state.host) was not looked at") }
    let there = Set(survey.present(state.bundles, request.plan))
    let push = NodePush(
      request: request, node: node, bundles: state.bundles, verifier: verifier, link: link(node), scripts: scripts,
      hashes: hashes,
      absent: state.bundles.filter { !there.contains($0) }, say: { self.say(node, $0) },
      enter: { phase in self.progress.withLock { $0.states[node].phase = phase } },
      count: { sent in self.progress.withLock { $0.states[node].sent = sent } })
    try push.run()
    progress.withLock { $0.states[node].verifier = verifier.name }
  }
}

/// What threads of nodes throw.
final class Gathered: Sendable {
  private let errors = Mutex<[(node: Int, error: any Error)]>([])

  func add(_ error: any Error, node: Int) { errors.withLock { $0.append((node, error)) } }

  /// - Throws: ``PushInterrupted`` before all others, else ``PushFailures``.
  func rethrow() throws {
    let sorted = errors.withLock { $0.sorted { $0.node < $1.node } }
    if sorted.contains(where: { $0.error is PushInterrupted }) { throw PushInterrupted() }
    guard !sorted.isEmpty else { return }
    throw PushFailures(
      errors: sorted.flatMap {
        ($0.error as? PushFailures)?.errors ?? [$0.error as? PushError ?? PushError("\($0.error)")]
      })
  }
}

import Foundation
import Kernels
import Nodes

/// Asks one node everything, within a limit of time.
package struct NodeQuestion: Sendable {
  let name: String
  let need: NodeNeed
  let shell: RemoteShell
  /// Where flotilla is there.
  let program: String
  /// Where the model is there; nil: none.
  let model: String?
  let peers: [String]
  /// Seconds until a node counts as one that does not answer.
  let limit: Double
  let isCancelled: @Sendable () -> Bool

  package init(
    name: String, need: NodeNeed, shell: RemoteShell, program: String, model: String?, peers: [String], limit: Double,
    isCancelled: @escaping @Sendable () -> Bool
  ) {
    self.name = name
    self.need = need
    self.shell = shell
    self.program = program
    self.model = model
    self.peers = peers
    self.limit = limit
    self.isCancelled = isCancelled
  }

  /// - Throws: `NodeInterrupted`; what goes wrong with the node is part of the answer.
  package func ask() throws -> Examination.Node {
    var node = Examination.Node(name: name, need: need)
    let script = DoctorScript(program: program, model: model, files: need.files.map(\.name), peers: peers)
    let start = MonotonicClock.seconds()
    var facts = ShellFacts()
    var said: [String] = []
    node.failure = try limited { link in
      try link.run(script.bytes) { line in
        if line.hasPrefix("clock ") {
          let there = Double(line.dropFirst(6))
          node.clockOffset = there.map { $0 - Date().timeIntervalSince1970 }
        } else if line.hasPrefix("facts ") {
          said.append(String(line.dropFirst(6)))
        } else {
          facts.take(line)
        }
      }
    }
    guard node.failure == nil else { return node }
    node.seconds = MonotonicClock.seconds() - start
    node.facts = said.last { $0.hasPrefix("{") }.flatMap {
      try? JSONDecoder().decode(NodeFacts.self, from: Data($0.utf8))
    }
    if node.facts == nil { facts.refusal = said.first { !$0.isEmpty }.map { String($0.prefix(300)) } }
    node.shell = facts
    return node
  }

  /// Has flotilla there compare its bundles with the manifest.
  ///
  /// - Parameter progress: bytes so far, and in all.
  /// - Throws: `NodeInterrupted`; `NodeError` where nothing could be compared.
  func verify(
    _ bundles: String, progress: (_ done: Int, _ total: Int) -> Void
  ) throws -> [Examination.Damage] {
    let link = NodeLink(host: name, shell: shell, isCancelled: isCancelled)
    var verification = NodeVerification()
    let command = NodeVerification.command(
      program: program, model: ShellText.quoted(model ?? "."), bundles: bundles)
    try link.run(NodeScript.bytes(command)) { verification.take($0, progress: progress) }
    guard verification.isComplete else { throw NodeError("expected a verdict on its bundles, found none", node: name) }
    return verification.damages.map {
      Examination.Damage(file: $0.file, text: "\($0.subject): expected \($0.expected), found \($0.found)")
    }
  }

  /// - Returns: what kept the node from answering.
  private func limited(_ body: (NodeLink) throws -> Void) throws -> Examination.Failure? {
    let end = MonotonicClock.seconds() + limit
    let isCancelled = isCancelled
    let link = NodeLink(host: name, shell: shell) { isCancelled() || MonotonicClock.seconds() > end }
    do {
      try body(link)
      return nil
    } catch let error as NodeError {
      return Examination.Failure(text: error.text, hint: error.hint)
    } catch is NodeInterrupted {
      if isCancelled() { throw NodeInterrupted() }
      return Examination.Failure(
        text: "no answer within \(Int(limit)) s",
        hint: "is the node on, and does ssh \(name) work without a password? --limit gives it more time")
    }
  }
}

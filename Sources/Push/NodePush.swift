import Checkpoint
import Nodes

/// Brings one node its bundles: manifest to the stage, small files, bundles; verify; give the manifest its name.
struct NodePush {
  let request: PushRequest
  /// Its number in the plan.
  let node: Int
  let bundles: [BundleName]
  let verifier: Verifier
  let link: NodeLink
  let scripts: NodeScripts
  let hashes: SourceHashes
  /// Bundles that are not there already in full size.
  let absent: [BundleName]
  /// Bytes of the others.
  var present: Int { request.plan.bytes(of: bundles) - request.plan.bytes(of: absent) }

  /// Told what happens.
  let say: (PushEvent.Kind) -> Void
  let enter: (NodeState.Phase) -> Void
  let count: (_ sent: Int) -> Void

  func run() throws {
    let small = request.manifest.files.map(\.name)
    let total = request.plan.bytes(of: bundles)
    enter(.sending(done: present, total: total))
    try send([PreparedManifest.fileName], .content, toStage: true)
    try send(small, .content)
    try sendBundles(total)
    let damaged = try verify(bundles)
    if !damaged.isEmpty { try repair(damaged) }
    try link.run(scripts.finish())
  }

  private func sendBundles(_ total: Int) throws {
    // In rsync's order, without those that are there.
    var missing = absent.sorted { $0.fileName < $1.fileName }.map { request.plan.bytes(of: $0) }
    var (earlier, attempt) = (0, 0)
    try send(bundles.map(\.fileName), .size) { bytes in
      if bytes < attempt {
        // A new attempt counts from nothing what the one before did not finish.
        var rest = attempt
        while let first = missing.first, first <= rest {
          (rest, earlier) = (rest - first, earlier + first)
          missing.removeFirst()
        }
      }
      attempt = bytes
      let sent = min(earlier + bytes, total - present)
      count(sent)
      enter(.sending(done: present + sent, total: total))
    }
  }

  private func send(
    _ files: [String], _ comparison: Rsync.Comparison, toStage: Bool = false, progress: (Int) -> Void = { _ in }
  ) throws {
    guard !files.isEmpty else { return }
    let command = request.command(link.host, files, comparison, toStage: toStage)
    try link.transfer(command, progress: progress) {
      say(.warning("\($0); trying again"))
    } again: {
      // What a killed rsync left is gone on with. Where the node is still away, rsync will say so.
      do { try link.run(scripts.claim(node)) } catch is PushError {}
    }
  }

  /// - Returns: names of files that differ.
  private func verify(_ bundles: [BundleName]) throws -> [String] {
    let verification = FarVerification(link: link, scripts: scripts, request: request, hashes: hashes)
    enter(.verifying(done: 0, total: request.plan.bytes(of: bundles)))
    let damages = try verification.damages(of: bundles, by: verifier) { enter(.verifying(done: $0, total: $1)) }
    for damage in damages { say(.damage(damage)) }
    return damages.map(\.file)
  }

  /// Sends the blocks of files that differ, once. What differs then is not the network's doing.
  private func repair(_ files: [String]) throws {
    let small = request.manifest.files.map(\.name)
    let known = small + bundles.map(\.fileName)
    if let stranger = files.first(where: { !known.contains($0) }) {
      throw PushError("\(stranger): expected one of the files that were sent, found another", node: link.host)
    }
    let damaged = bundles.filter { files.contains($0.fileName) }
    try hashes.check(damaged, isCancelled: link.isCancelled)
    say(.note("sending the parts that differ of \(files.joined(separator: ", "))"))
    enter(.sending(done: 0, total: request.plan.bytes(of: damaged)))
    try send(files, .blocks) { enter(.sending(done: $0, total: request.plan.bytes(of: damaged))) }
    let again = try verify(damaged)
    guard again.isEmpty else {
      throw PushError(
        "\(again.joined(separator: ", ")): expected what the manifest says, found a difference again after it was sent "
          + "a second time", node: link.host, hint: "suspect the disk or the memory of that node")
    }
  }
}

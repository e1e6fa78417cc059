import Checkpoint
import Kernels
import Nodes

extension PushRun {
  /// Makes the folders, keeps other pushes out of them, and finds nodes that share one; the first of them gets the
  /// bundles of all.
  ///
  /// - Throws: ``PushFailures``, ``PushInterrupted``.
  public func claim() throws {
    let nodes = states.indices.filter { states[$0].phase == .waiting }
    try forEach(nodes) { node in try self.claim(node) }
    try forEach(nodes) { node in
      let seen = try self.link(node).lines(self.scripts.look()).compactMap { line in
        line.hasPrefix("at ") ? Int(line.dropFirst(3)) : nil
      }
      if let first = seen.min(), first < node { self.settle(node, .shares(first)) }
    }
    warnOfCopies()
    try join()
  }

  private func claim(_ node: Int) throws {
    progress.withLock { $0.isClaimed = true }
    guard let held = try holder(node, breaking: nil) else { return }
    guard let holder = PushHolder(held), holder.isGone else { throw busy(node, held) }
    if let held = try self.holder(node, breaking: holder) { throw busy(node, held) }
  }

  /// Tries to claim a node's folder.
  ///
  /// - Parameter gone: a holder whose lock is of no worth any more.
  /// - Returns: what the lock of another push says; nil where the folder is ours.
  private func holder(_ node: Int, breaking gone: PushHolder?) throws -> String? {
    try link(node).lines(scripts.claim(node, breaking: gone)).first { $0.hasPrefix("held ") }
      .map { String($0.dropFirst(5)) }
  }

  private func busy(_ node: Int, _ held: String) -> PushError {
    let (host, folder) = (request.plan.nodes[node].host, request.destination)
    let expected = "\(folder): expected a folder that no other push writes to, found "
    guard let holder = PushHolder(held) else {
      return PushError(
        expected + "a lock that is none of this version", node: host, hint: "remove \(folder)/\(scripts.lock) there")
    }
    return PushError(
      expected + "that of process \(holder.process) on \(holder.host)", node: host,
      hint: "wait for its end"
        + (holder.isOfThisMachine ? "" : "; if it ended without a word, remove \(folder)/\(scripts.lock) there"))
  }

  /// Lets others push to what this push has not finished. Tries for a few seconds; a lock that stays is seen through
  /// on this machine.
  public func release() {
    guard progress.withLock({ $0.isClaimed }) else { return }
    let nodes = states.indices.filter { states[$0].phase != .finished && states[$0].phase != .sharesSource }
    let end = MonotonicClock.seconds() + 5
    concurrently(nodes.count, most: Self.mostAtATime) { index in
      let node = self.request.plan.nodes[nodes[index]]
      let link = NodeLink(host: node.host, shell: self.request.shell) { MonotonicClock.seconds() > end }
      _ = try? link.run(self.scripts.release())
    }
  }

  /// Copies on one file system are one copy.
  private func warnOfCopies() {
    guard request.plan.copies > 1 else { return }
    var places: [BundleName: Set<Int>] = [:]
    var sharing: Int?
    for (node, state) in states.enumerated() {
      var place = node
      switch state.phase {
      case .shares(let first): (place, sharing) = (first, sharing ?? node)
      case .sharesSource: (place, sharing) = (-1, sharing ?? node)
      default: break
      }
      for bundle in request.plan.nodes[node].bundles { places[bundle, default: []].insert(place) }
    }
    guard let sharing else { return }
    let few = places.filter { $0.value.count < request.plan.copies }.keys.sorted()
    guard !few.isEmpty else { return }
    say(
      sharing,
      .warning(
        "it shares its file system with another place of the same bundles: "
          + "--copies \(request.plan.copies) does not hold for " + BundleName.list(few, most: 4)))
  }

  private func join() throws {
    var failures: [PushError] = []
    let states = states
    for state in states {
      guard case .shares(let first) = state.phase else { continue }
      progress.withLock { progress in
        let all = Set(progress.states[first].bundles).union(state.bundles).sorted()
        progress.states[first].bundles = all
        progress.states[first].bytes = request.plan.bytes(of: all)
      }
    }
    for first in Set(states.compactMap { if case .shares(let first) = $0.phase { first } else { nil } }).sorted() {
      let (survey, bundles) = progress.withLock { ($0.surveys[first], $0.states[first].bundles) }
      if let survey {
        failures += roomFailures(first, bundles, survey)
        progress.withLock { $0.states[first].present = request.plan.bytes(of: survey.present(bundles, request.plan)) }
      }
    }
    if !failures.isEmpty { throw PushFailures(errors: failures) }
  }
}

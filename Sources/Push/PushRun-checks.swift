import Checkpoint
import Foundation
import Nodes

extension PushRun {
  /// Looks at every node: reachable, rsync, room, what is there, who can verify. Changes nothing there.
  ///
  /// - Throws: ``PushFailures`` with everything that stands in the way, of all nodes.
  public func survey() throws {
    try Rsync.check(isCancelled: isCancelled)
    let mark = request.source.appending(path: scripts.mark)
    // Where the folder may not be written to, a node that shares it is found to have everything.
    let isMarked = FileManager.default.createFile(atPath: mark.path(percentEncoded: false), contents: nil)
    defer { if isMarked { unlink(mark.path(percentEncoded: false)) } }
    let files = Set(request.plan.nodes.flatMap(\.bundles)).sorted().map(\.fileName)
    try forEach(Array(states.indices)) { node in
      let survey = Survey(try self.link(node).lines(self.scripts.survey(files, programs: self.request.programs)))
      let state = self.states[node]
      self.progress.withLock {
        $0.surveys[node] = survey
        $0.states[node].present =
          survey.isSource ? state.bytes : self.request.plan.bytes(of: survey.present(state.bundles, self.request.plan))
      }
      if survey.isSource { return self.settle(node, .sharesSource) }
      let failures = try self.obstacles(node, survey) + self.roomFailures(node, state.bundles, survey)
      if !failures.isEmpty { throw PushFailures(errors: failures) }
      let verifier = try self.verifier(node, survey)
      self.progress.withLock { $0.verifiers[node] = verifier }
    }
  }

  /// What stands in the way on a node.
  private func obstacles(_ node: Int, _ survey: Survey) throws -> [PushError] {
    let (host, folder) = (request.plan.nodes[node].host, request.destination)
    func error(_ text: String, _ hint: String) -> PushError { PushError(text, node: host, hint: hint) }
    var errors: [PushError] = []
    if survey.rsync == nil {
      errors.append(error("rsync: expected it there, found none", "install it there: apt-get install rsync"))
    }
    if survey.isFile {
      errors.append(error("\(folder): expected a folder or nothing, found a file", "give another --to"))
    }
    if let place = survey.unwritable {
      errors.append(error("\(place): expected a folder that may be written to, found another", "check its owner there"))
    }
    if let manifest = survey.manifest {
      if manifest != hashOfManifest { try otherManifest(node).map { errors.append($0) } }
    } else if survey.isBeingPrepared {
      errors.append(
        error(
          "\(folder): expected a folder to write, found one that flotilla prepare began",
          "finish that, or give another --to"))
    } else if survey.isOccupied && !survey.isBegun {
      errors.append(
        error(
          "\(folder): expected a new or empty folder, or one that push began, found other files", "give another --to"))
    }
    return errors
  }

  private var hashOfManifest: String { "\(Digest(of: request.manifestBytes))" }

  /// Why the manifest that is there is in the way; nil where it is of the same model.
  private func otherManifest(_ node: Int) throws -> PushError? {
    let lines = try link(node).lines(scripts.readManifest())
    let host = request.plan.nodes[node].host
    let hint = "give another --to, or remove that folder there"
    guard let there = try? PreparedManifest(bytes: Array(lines.joined(separator: "\n").utf8)) else {
      return PushError(
        "\(request.destination)/\(PreparedManifest.fileName): expected a manifest, found a damaged one or another "
          + "version's", node: host, hint: hint)
    }
    guard there.identity != request.manifest.identity else { return nil }
    return PushError(
      "\(request.destination): expected \(request.manifest.source.name) in \(request.manifest.formats), found "
        + "\(there.source.name) in \(there.formats)"
        + (there.source.name == request.manifest.source.name ? " with other weights" : ""), node: host, hint: hint)
  }

  /// What a file system needs beyond the bundles: small files, and itself.
  private static let reserve = 64 << 20

  /// Says how many bytes a node's disk lacks.
  func roomFailures(_ node: Int, _ bundles: [BundleName], _ survey: Survey) -> [PushError] {
    let missing = survey.missing(bundles, request.plan)
    guard missing > 0, let free = survey.free, free < missing + Self.reserve else { return [] }
    func mib(_ bytes: Int) -> String { String(format: "%.1f MiB", Double(bytes) / 0x1p20) }
    return [
      PushError(
        "\(request.destination): expected room for \(mib(missing)) and \(mib(Self.reserve)) in reserve, found "
          + "\(mib(free)): \(missing + Self.reserve - free) bytes are missing", node: request.plan.nodes[node].host,
        hint: "make room there, or give another folder with --to")
    ]
  }

  private func verifier(_ node: Int, _ survey: Survey) throws -> Verifier {
    let host = request.plan.nodes[node].host
    if let program = survey.programs.first(where: { $0.version == request.version }) {
      return .flotilla(path: program.path, version: program.version)
    }
    let found = survey.programs.first.map { "version \($0.version) at \($0.path)" } ?? "none that runs"
    if request.needsProgram {
      throw PushError(
        "--flotilla: expected version \(request.version) at \(request.programs.joined(separator: ", ")), "
          + "found \(found)",
        node: host, hint: "leave it out: the hashes of whole files are compared then")
    }
    guard survey.hasHashes else {
      throw PushError(
        "expected flotilla \(request.version) or sha256sum there to verify with, found neither", node: host,
        hint: "copy flotilla there and give its path with --flotilla")
    }
    say(
      node, .note("flotilla \(request.version) there: found \(found); verifying with sha256sum, which names files only")
    )
    return .sha256sum
  }

  /// Makes the folders, and finds nodes that share one; the first of them gets the bundles of all.
  ///
  /// - Throws: ``PushFailures``, ``PushInterrupted``.
  public func claim() throws {
    let nodes = states.indices.filter { states[$0].phase == .waiting }
    try forEach(nodes) { node in try self.link(node).run(self.scripts.claim(node)) }
    try forEach(nodes) { node in
      let seen = try self.link(node).lines(self.scripts.look()).compactMap { line in
        line.hasPrefix("at ") ? Int(line.dropFirst(3)) : nil
      }
      if let first = seen.min(), first < node { self.settle(node, .shares(first)) }
    }
    try join()
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

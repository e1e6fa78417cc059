import Checkpoint
import Nodes

/// How the bundles on a node are held against the manifest.
enum Verifier: Sendable, Equatable {
  /// This very version of flotilla, there.
  case flotilla(path: String, version: String)
  case sha256sum

  var name: String {
    switch self {
    case .flotilla(_, let version): "flotilla \(version)"
    case .sha256sum: "sha256sum"
    }
  }
}

/// Compares what lies on a node with the manifest.
struct FarVerification {
  let link: NodeLink
  let scripts: NodeScripts
  let request: PushRequest
  let hashes: SourceHashes

  /// - Returns: the first difference of each file that differs.
  func damages(
    of bundles: [BundleName], by verifier: Verifier, progress: (_ done: Int, _ total: Int) -> Void
  ) throws -> [FileDamage] {
    switch verifier {
    case .flotilla(let path, _): try byFlotilla(path, bundles, progress)
    case .sha256sum: try bySHA256(bundles, progress)
    }
  }

  private func byFlotilla(
    _ path: String, _ bundles: [BundleName], _ progress: (Int, Int) -> Void
  ) throws -> [FileDamage] {
    var verification = NodeVerification()
    let list = bundles.isEmpty ? BundleName.none : BundleName.list(bundles)
    let errors = try link.run(scripts.verify(list, program: path)) {
      verification.take($0, progress: progress)
    }
    guard verification.isComplete else {
      throw link.failure("\(path) there: expected a verdict on \(bundles.count) bundles, found none", errors)
    }
    return verification.damages.map {
      FileDamage(file: $0.file, subject: $0.subject, expected: $0.expected, found: $0.found)
    }
  }

  private func bySHA256(_ bundles: [BundleName], _ progress: (Int, Int) -> Void) throws -> [FileDamage] {
    let total = request.plan.bytes(of: bundles)
    let sizes = Dictionary(uniqueKeysWithValues: bundles.map { ($0.fileName, request.plan.bytes(of: $0)) })
    var found: [String: String] = [:]
    var done = 0
    progress(0, total)
    try link.run(scripts.hash(request.manifest.files.map(\.name) + bundles.map(\.fileName))) { line in
      let words = line.split(separator: " ", maxSplits: 1).map { String($0) }
      guard words.count == 2 else { return }
      // "hash  name", or "hash *name".
      let name = String(words[1].drop { $0 == " " || $0 == "*" })
      found[name] = words[0]
      done += sizes[name] ?? 0
      progress(done, total)
    }
    var damages: [FileDamage] = []
    func compare(_ name: String, _ expected: String) {
      guard found[name] != expected else { return }
      damages.append(FileDamage(file: name, subject: "sha256", expected: expected, found: found[name] ?? "nothing"))
    }
    for file in request.manifest.files { compare(file.name, "\(file.hash)") }
    for bundle in bundles { compare(bundle.fileName, try hashes.hash(bundle, isCancelled: link.isCancelled)) }
    return damages
  }
}

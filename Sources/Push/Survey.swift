import Checkpoint
import Nodes

/// What a node has, as ``NodeScripts/survey(_:programs:)`` tells.
package struct Survey: Sendable {
  /// Version line of its rsync; nil where there is none.
  package var rsync: String?
  package var hasHashes = false
  /// It sees the very folder that is pushed.
  package var isSource = false
  /// Its destination holds something.
  package var isOccupied = false
  /// An earlier push has begun there.
  package var isBegun = false
  package var isBeingPrepared = false
  package var isFile = false
  /// SHA-256 in hexadecimal of its manifest; empty where it could not be made.
  package var manifest: String?
  /// Bytes of whole files.
  package var files: [String: Int] = [:]
  /// Bytes of files that an earlier push began.
  package var parts: [String: Int] = [:]
  /// The folder that would have to be written to and may not be.
  package var unwritable: String?
  /// In bytes.
  package var free: Int?
  /// `flotilla` programs that ran there.
  package var programs: [(version: String, path: String)] = []

  package init(_ lines: [String]) {
    for line in lines {
      let words = line.split(separator: " ", maxSplits: 1).map(String.init)
      let rest = words.count > 1 ? words[1] : ""
      switch words.first ?? "" {
      case "rsync": rsync = rest.isEmpty ? nil : rest
      case "sha256sum": hasHashes = true
      case "source": isSource = true
      case "occupied": isOccupied = true
      case "begun": isBegun = true
      case "preparation": isBeingPrepared = true
      case "nofolder": isFile = true
      case "manifest": manifest = rest
      case "unwritable": unwritable = rest
      case "file": Self.file(rest).map { files[$0.name] = $0.bytes }
      case "part": Self.part(rest).map { parts[$0.name] = max(parts[$0.name] ?? 0, $0.bytes) }
      case "disk": free = NodeScript.freeBytes(rest)
      case "flotilla":
        let pair = rest.split(separator: " ", maxSplits: 1).map(String.init)
        if pair.count == 2 { programs.append((pair[0], pair[1])) }
      default: break
      }
    }
  }

  private static func file(_ text: String) -> (name: String, bytes: Int)? {
    let pair = text.split(separator: " ", maxSplits: 1)
    guard pair.count == 2, let bytes = Int(pair[0]) else { return nil }
    return (String(pair[1]), bytes)
  }

  /// "expert-001.bundle.a1B2c3" is what a killed rsync left of expert-001.bundle.
  private static func part(_ text: String) -> (name: String, bytes: Int)? {
    guard let (name, bytes) = file(text) else { return nil }
    return (name.hasSuffix(".bundle") ? name : String(name.dropLast(7)), bytes)
  }

  /// Bundles that are there in their full size.
  func present(_ bundles: [BundleName], _ plan: PushPlan) -> [BundleName] {
    bundles.filter { files[$0.fileName] == plan.bytes(of: $0) }
  }

  /// Bytes that the disk must still take.
  func missing(_ bundles: [BundleName], _ plan: PushPlan) -> Int {
    let there = Set(present(bundles, plan))
    return bundles.filter { !there.contains($0) }.reduce(0) {
      $0 + max(0, plan.bytes(of: $1) - (parts[$1.fileName] ?? 0))
    }
  }
}

import Checkpoint
import ExpertParallel
import Foundation
import Nodes
import Planning
import Reporting

/// What `plan -o` writes: placement, hostfile, the page and the lines to paste.
struct PlanFolder {
  let folder: URL
  private let plan: Plan
  /// The prepared model's folder on the nodes; nil: a path to be edited.
  private let prepared: String?
  private let cacheType: CacheType

  static let names = ["placement.json", "hostfile", "plan.md", "commands.txt"]

  /// - Parameter prepared: nil: a path to be edited.
  init(_ path: String, _ plan: Plan, prepared: String?, cacheType: CacheType) {
    folder = URL(filePath: path).standardizedFileURL
    self.plan = plan
    self.prepared = prepared
    self.cacheType = cacheType
  }

  /// Decided before the work: what is there may have been edited.
  ///
  /// - Throws: ``UsageError`` where one of the files is there already, or where none can be written.
  static func check(_ path: String) throws {
    let folder = URL(filePath: path).standardizedFileURL
    // The nearest that is there, where the others would be made.
    var place = folder.path(percentEncoded: false)
    var isFolder: ObjCBool = false
    while place.count > 1, !FileManager.default.fileExists(atPath: place, isDirectory: &isFolder) {
      place = NSString(string: place).deletingLastPathComponent
    }
    let isThere = FileManager.default.fileExists(atPath: place, isDirectory: &isFolder)
    guard isThere, isFolder.boolValue, FileManager.default.isWritableFile(atPath: place) else {
      throw UsageError(
        "-o: expected to write to \(path), found \(place), "
          + (isFolder.boolValue ? "which may not be written to" : "a file in place of a folder"),
        hint: "Name a folder that may be written to")
    }
    for name in names where FileManager.default.fileExists(atPath: folder.appending(path: name).path) {
      throw UsageError(
        "-o: expected a folder without a plan, found \(name) in \(path)", hint: "Name another, or remove it first")
    }
  }

  /// Ranks are counted node after node, so a node's share one line.
  private var hostfile: String {
    plan.nodesInOrder.map { "\(plan.cluster.nodes[$0].name) slots=\(plan.cluster.nodes[$0].domains)\n" }.joined()
  }

  var commands: [String] {
    func path(_ name: String) -> String { folder.appending(path: name).path(percentEncoded: false) }
    let first = plan.cluster.nodes[plan.nodesInOrder[0]].name
    let nodes = ["--hostfile", path("hostfile"), "--map-by", "slot"]
    let model = prepared ?? "/models/PREPARED"
    var launch = ["flotilla", "launch"] + nodes + ["--", "generate", model, "--placement", path("placement.json")]
    launch += ["-c", "\(plan.workload.context)"]
    if plan.workload.sequences > 1 { launch += ["--parallel", "\(plan.workload.sequences)"] }
    if cacheType != .auto { launch += ["--cache-type", cacheType.rawValue] }
    let others = plan.nodesInOrder.dropFirst().map { plan.cluster.nodes[$0].name }
    let preparing = [
      "# Put the checkpoint's folder or GGUF file for CHECKPOINT, and a folder of yours for \(model), here and below.",
      ShellText.line(["flotilla", "prepare", "CHECKPOINT", model, "--quant", plan.costs.formats.description]),
    ]
    return [
      "# On \(printable(first)), whose rank 0 coordinates; placement.json must lie at the same path on every node."
    ]
      + (prepared == nil ? preparing : [])
      + (others.isEmpty ? [] : [copying(path("placement.json"), to: others)]) + [
        ShellText.line(["flotilla", "push", model] + nodes + ["--placement", path("placement.json")]),
        "# -c caps the context at what the plan has room for: the tokens of a sequence, its prompt included.",
        ShellText.line(launch) + " -p \"…\"",
      ]
  }

  /// The far shell reads its command once more: quoted for it first, then for the one here.
  private func copying(_ file: String, to nodes: [String]) -> String {
    let folder = ShellText.quoted(folder.path(percentEncoded: false))
    let far = "mkdir -p \(folder) && cat > \(ShellText.quoted(file))"
    return "for node in \(ShellText.line(nodes)); do ssh \"$node\" \(ShellText.quoted(far)) < "
      + "\(ShellText.quoted(file)); done"
  }

  /// - Parameter page: Markdown.
  func write(page: String) throws {
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      let texts = [plan.placement.json, hostfile, page, commands.joined(separator: "\n") + "\n"]
      for (name, text) in zip(Self.names, texts) {
        try Data(text.utf8).write(to: folder.appending(path: name), options: .atomic)
      }
    } catch let error as CocoaError {
      // Half a plan would be in the way of the next one.
      for name in Self.names { try? FileManager.default.removeItem(at: folder.appending(path: name)) }
      let refusal = WriteRefusal(error)
      let usage = UsageError(
        "-o: expected to write to \(folder.path(percentEncoded: false)), found \(refusal.found)",
        hint: refusal.hint(else: "Name a folder that may be written to"))
      throw refusal.isFull ? Failure(cause: usage, status: .failure) : usage
    }
  }
}

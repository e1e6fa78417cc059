import Checkpoint
import DeepSeek
import Doctor
import ExpertParallel
import Foundation
import Inference
import Nodes

/// What a model needs on each node: memory, and files of a checkpoint.
struct DoctorModel {
  let model: Examination.Model
  let needs: [NodeNeed]

  /// - Parameter path: of the model on the nodes; nil: as here, or of a shape the login folder.
  init(
    _ subject: DoctorSubject, nodes: Hostfile, order: RankOrder, roles: RoleOptions, quant: String, contextSize: Int,
    parallel: Int, path: String?
  ) throws {
    let configuration = subject.configuration
    let formats = try subject.formats(quant)
    let given = try roles.placement(ranks: nodes.slots, configuration)
    let hosts = order.ranks(of: nodes.hosts)
    let near = hosts.first { $0.contains(given.coordinator) } ?? []
    let weights = WeightSizes(configuration, formats)
    // How many threads ranks will have is not known: as where their cores are enough, which takes more memory.
    let placement = try given.divided(roles.denseSlices, weights, near: near, hasCores: true)
    let plan = MemoryPlan(
      configuration: configuration, formats: formats, sizes: weights, cacheFormat: .automatic(for: formats),
      placement: placement, prefillChunk: RunOptions(model: URL(filePath: ""), version: "").prefillChunk,
      sequences: parallel, threads: 1)
    let sizes = subject.checkpoint == nil ? PreparedSizes(configuration, formats, plain: .bf16) : nil
    needs = hosts.map { ranks in
      let bundles = Set(ranks.flatMap { placement.bundles(of: $0) }).sorted()
      return NodeNeed(
        ranks: ranks,
        roles: ["coordinator", "router", "experts", "slices"].filter { role in
          ranks.contains { placement.roles(of: $0).contains(role) }
        }, memoryBytes: plan.bytes(ranks: ranks, contextSize: contextSize), files: subject.files(bundles),
        bundles: subject.prepared == nil ? nil : BundleName.list(bundles),
        diskBytes: sizes.map { sizes in bundles.reduce(0) { $0 + (sizes.bundles[$1] ?? 0) } })
    }
    model = Examination.Model(
      name: subject.name, formats: formats.description,
      path: path ?? subject.checkpoint.map { Self.path($0.location) }, manifest: subject.manifestHash,
      contextSize: contextSize)
  }

  private static func path(_ url: URL) -> String {
    let path = url.standardizedFileURL.path(percentEncoded: false)
    return path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
  }
}

/// A checkpoint, or a shape without weights.
enum DoctorSubject {
  case checkpoint(Checkpoint)
  case shape(ModelShape)

  var checkpoint: Checkpoint? { if case .checkpoint(let checkpoint) = self { checkpoint } else { nil } }
  var prepared: PreparedStore? { checkpoint?.prepared }

  var configuration: ModelConfiguration {
    switch self {
    case .checkpoint(let checkpoint): checkpoint.configuration
    case .shape(let shape): shape.configuration
    }
  }

  var name: String {
    switch self {
    case .checkpoint(let checkpoint): checkpoint.prepared?.manifest.source.name ?? checkpoint.location.lastPathComponent
    case .shape(let shape): shape.name
    }
  }

  func formats(_ quant: String) throws -> WeightFormats {
    switch self {
    case .checkpoint(let checkpoint): return try WeightFormats(quant: quant, requantizes: true, for: checkpoint)
    case .shape(let shape):
      var formats = try WeightFormats(parsing: quant, natural: shape.naturalFormat)
      formats.followOfficial()
      return formats
    }
  }

  /// Of the manifest's file here.
  var manifestHash: String? {
    guard let checkpoint, prepared != nil,
      let bytes = try? Data(contentsOf: checkpoint.location.appending(path: PreparedManifest.fileName))
    else { return nil }
    return "\(Digest(of: Array(bytes)))"
  }

  /// What ranks that read these bundles open: of a prepared model those and the small files, else everything.
  func files(_ bundles: [BundleName]) -> [ShellFacts.File] {
    guard let checkpoint else { return [] }
    guard let manifest = prepared?.manifest else { return Self.files(of: checkpoint.location) }
    let wanted = Set(bundles)
    return manifest.files.map { ShellFacts.File(name: $0.name, bytes: $0.bytes) }
      + manifest.bundles.filter { wanted.contains($0.name) }.map {
        ShellFacts.File(name: $0.name.fileName, bytes: $0.bytes)
      }
  }

  /// The files of a folder that a checkpoint consists of; of a GGUF file itself and the other parts.
  private static func files(of location: URL) -> [ShellFacts.File] {
    var isFolder: ObjCBool = false
    let path = location.path(percentEncoded: false)
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { return [] }
    let folder = isFolder.boolValue ? location : location.deletingLastPathComponent()
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path(percentEncoded: false))) ?? []
    let parts = location.lastPathComponent.split(separator: "-of-")
    let stem = parts.count == 2 ? parts[0].dropLast(5) : location.lastPathComponent[...]
    return names.sorted().filter { name in
      isFolder.boolValue
        ? [".safetensors", ".json", ".gguf", ".jinja"].contains { name.hasSuffix($0) } : name.hasPrefix(stem)
    }.compactMap { name in
      let file = folder.appending(path: name).resolvingSymlinksInPath()
      let size = (try? FileManager.default.attributesOfItem(atPath: file.path(percentEncoded: false)))?[.size] as? Int
      return size.map { ShellFacts.File(name: name, bytes: $0) }
    }
  }
}

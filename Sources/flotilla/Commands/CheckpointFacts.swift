import Checkpoint
import DeepSeek
import Foundation
import Inference
import Reporting

/// What `inspect` says about a checkpoint, or about the shape of one.
struct CheckpointFacts: Encodable {
  struct Part: Encodable {
    let part: String
    let tensors: Int
    let parameters: Int
    /// Nil where there are no weights.
    let bytes: Int?
    /// Element types, the one with most bytes first.
    let formats: [String]
  }

  struct Shape: Encodable {
    let modelType: String
    let layers: Int
    let denseLayers: Int
    let expertLayers: Int
    let hidden: Int
    let vocabulary: Int
    let maxPositions: Int
    let heads: Int
    let queryRank: Int?
    let latentRank: Int
    let routedExperts: Int
    let sharedExperts: Int
    let expertsPerToken: Int
    let groups: Int
    let groupsPerToken: Int
    let scoring: String
    let selection: String
    let mtpLayers: Int
  }

  let name: String
  /// Nil, as all that comes from the weights' files, where there is only a shape.
  let fingerprint: String?
  let parameters: Int
  let activePerToken: Int
  let shape: Shape
  let files: Int?
  /// "safetensors", "GGUF" or "prepared".
  let fileFormat: String?
  let bytes: Int?
  let parts: [Part]
  /// Bytes of the latent cache for one token of one sequence, all layers.
  let cacheBytesPerToken: Int
  let surplus: [String]
  let skipped: Int
  let assumedFields: [String]
  /// Whether text can be run; nil where there is only a shape.
  let tokenizer: TokenizerState?
  /// Of a GGUF model: how it would run.
  let run: RunFacts?
  /// Of a prepared model: how many bundles are not here, and which; nil where all are.
  let missingBundles: String?

  /// - Parameter formats: in which it would run.
  init(_ checkpoint: Checkpoint, _ run: RunFacts?, _ formats: WeightFormats, _ tokenizer: TokenizerState) {
    self.run = run
    missingBundles = checkpoint.prepared?.missingText
    self.tokenizer = tokenizer
    let model = checkpoint.configuration
    let inventory = ParameterInventory(model)
    name = checkpoint.location.standardizedFileURL.lastPathComponent
    fingerprint = checkpoint.missingFiles.isEmpty ? checkpoint.fingerprint : nil
    parameters = inventory.total
    activePerToken = inventory.activePerToken
    shape = Shape(model)
    files = checkpoint.fileCount
    fileFormat = checkpoint.prepared != nil ? "prepared" : checkpoint.metadata == nil ? "safetensors" : "GGUF"
    parts = Self.parts(checkpoint)
    bytes = checkpoint.tensorBytes
    cacheBytesPerToken = Self.cacheBytesPerToken(model, formats)
    surplus = checkpoint.surplus
    skipped = checkpoint.skipped.count
    assumedFields = model.assumedFields
  }

  /// What a configuration alone tells of a run in the given formats.
  init(_ model: ModelShape, _ formats: WeightFormats) {
    let configuration = model.configuration
    let inventory = ParameterInventory(configuration)
    name = model.name
    (fingerprint, files, fileFormat, bytes, run, tokenizer, missingBundles) = (nil, nil, nil, nil, nil, nil, nil)
    parameters = inventory.total
    activePerToken = inventory.activePerToken
    shape = Shape(configuration)
    var tensors: [ModelPart: (tensors: Int, parameters: Int)] = [:]
    inventory.forEach(includingMTP: true) {
      let sum = tensors[$0.part, default: (0, 0)]
      tensors[$0.part] = (sum.tensors + 1, sum.parameters + $0.count)
    }
    parts = ModelPart.allCases.compactMap { part in
      tensors[part].map {
        Part(part: part.rawValue, tensors: $0.tensors, parameters: $0.parameters, bytes: nil, formats: [])
      }
    }
    cacheBytesPerToken = Self.cacheBytesPerToken(configuration, formats)
    surplus = []
    skipped = tensors[.mtp]?.tensors ?? 0
    assumedFields = configuration.assumedFields
  }

  private static func cacheBytesPerToken(_ model: ModelConfiguration, _ formats: WeightFormats) -> Int {
    LatentCache.bytesPerPosition(
      layers: model.layers, latentRank: model.latentRank, rotarySize: model.ropeDimension,
      format: .automatic(for: formats))
  }

  private static func parts(_ checkpoint: Checkpoint) -> [Part] {
    struct Sum {
      var tensors = 0
      var parameters = 0
      var bytes = 0
      var types: [ElementType: Int] = [:]

      mutating func add(_ parameters: Int, _ bytes: Int, _ type: ElementType) {
        self.tensors += 1
        self.parameters += parameters
        self.bytes += bytes
        types[type, default: 0] += bytes
      }
    }
    var sums: [ModelPart: Sum] = [:]
    ParameterInventory(checkpoint.configuration).forEach(includingMTP: true) { parameter in
      guard let info = checkpoint.info(parameter.name) else { return }
      sums[parameter.part, default: Sum()].add(parameter.count, checkpoint.storedBytes(info), info.type)
    }
    return ModelPart.allCases.compactMap { part in
      guard let sum = sums[part] else { return nil }
      let formats = sum.types.map { (key: $0.key.rawValue, value: $0.value) }
        .sorted { ($0.value, $1.key) > ($1.value, $0.key) }.map(\.key)
      return Part(
        part: part.rawValue, tensors: sum.tensors, parameters: sum.parameters, bytes: sum.bytes, formats: formats)
    }
  }

}

extension CheckpointFacts.Shape {
  init(_ model: ModelConfiguration) {
    self.init(
      modelType: model.modelType.rawValue, layers: model.layers, denseLayers: model.layers - model.moeLayers.count,
      expertLayers: model.moeLayers.count, hidden: model.hidden, vocabulary: model.vocabularySize,
      maxPositions: model.maxPositions, heads: model.heads, queryRank: model.queryRank, latentRank: model.latentRank,
      routedExperts: model.routedExperts, sharedExperts: model.sharedExperts, expertsPerToken: model.expertsPerToken,
      groups: model.groups, groupsPerToken: model.groupsPerToken, scoring: model.scoring.rawValue,
      selection: model.selection.rawValue, mtpLayers: model.mtpLayers)
  }
}

// MARK: - For people

extension CheckpointFacts {
  var text: String {
    var lines = ["\(printable(name)): \(shape.modelType), \(Format.count(parameters)) parameters", ""]
    let width = summary.map { $0.0.count }.max() ?? 0
    lines += summary.map { name, value in
      "  " + name + String(repeating: " ", count: width - name.count + 2) + value
    }
    var table = TextTable([
      .init("Part", .left), .init("Tensors"), .init("Parameters"), .init("Share"), .init("Stored"),
      .init("Formats", .left),
    ])
    for part in parts {
      let share =
        part.part == ModelPart.mtp.rawValue || parameters == 0
        ? nil : Double(part.parameters) / Double(parameters)
      table.append([
        part.part, Format.exact(part.tensors), Format.count(part.parameters), Format.share(share),
        part.bytes.map(Format.bytes) ?? Format.none, part.formats.joined(separator: ", "),
      ])
    }
    lines += [""] + table.lines().map { "  " + $0 }
    if skipped > 0 {
      lines += ["", "  Multi-token prediction (\(Format.exact(skipped)) tensors) is not run and not counted above."]
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private var summary: [(String, String)] {
    let active = parameters > 0 ? Double(activePerToken) / Double(parameters) : nil
    let query = shape.queryRank.map { "queries through rank \($0), " } ?? ""
    let shared = "\(shape.sharedExperts) shared"
    let groups = shape.groups > 1 ? ", from \(shape.groupsPerToken) of \(shape.groups) groups" : ""
    var lines = [
      ("parameters", "\(Format.exact(parameters)) in total"),
      ("active", "\(Format.exact(activePerToken)) per token (\(Format.share(active)))"),
      ("layers", "\(shape.layers): \(shape.denseLayers) dense, \(shape.expertLayers) with experts"),
      ("hidden", "\(shape.hidden)"),
      ("experts", "\(shape.routedExperts) routed a layer, \(shape.expertsPerToken) per token\(groups); " + shared),
      ("gate", "\(shape.scoring), \(shape.selection)"),
      ("attention", "MLA, \(shape.heads) heads; \(query)latent rank \(shape.latentRank)"),
      ("cache", "\(Format.bytes(cacheBytesPerToken)) per token"),
      ("positions", Format.exact(shape.maxPositions)),
      ("vocabulary", Format.exact(shape.vocabulary)),
    ]
    if let files, let fileFormat, let bytes {
      let missing = run?.missingFiles.count ?? 0
      let count = missing > 0 ? "\(files) of \(files + missing)" : "\(files)"
      lines.append(("files", "\(count) \(fileFormat), \(Format.bytes(bytes)) of tensors"))
    }
    if let missingBundles { lines.append(("missing", missingBundles)) }
    lines += run?.lines ?? []
    if let tokenizer, tokenizer != .usable {
      lines.append(("tokenizer", "\(tokenizer.rawValue): token ids only (flotilla trace)"))
    }
    if let fingerprint { lines.append(("fingerprint", String(fingerprint.prefix(16)))) }
    return lines
  }
}

import Checkpoint
import DeepSeek
import ExpertParallel
import Foundation
import Kernels
import Nodes
import Reporting

/// What `inspect` says about a published model that is not here: what to fetch for a format, and how large all is.
struct DownloadFacts: Encodable {
  struct Source: Encodable {
    /// "safetensors" or "GGUF".
    let kind: String
    let repository: String
    /// Nil where nobody has looked.
    let files: Int?
    /// Bytes of its tensors, as the architecture tells.
    let bytes: Int
    /// Bytes of its files where they are known.
    let publishedBytes: Int?
    /// Bytes by element type, and those of multi-token prediction among them; of safetensors only.
    let bytesByType: [String: Int]
    let mtpBytes: Int
    /// Lines to paste, the download first.
    let commands: [String]
    /// What `--quant` runs its weights in.
    let quant: String
  }

  /// Bytes that `prepare` writes.
  struct Prepared: Encodable {
    let bytes: Int
    let experts: Int
    let bytesPerExpert: Int
    let dense: Int
    let gates: Int
    let mtp: Int
    /// Bundles that each rank of the placement needs.
    let bytesByRank: [Int]?
  }

  let model: String
  let format: String
  let sources: [Source]
  let prepared: Prepared

  /// - Parameter roles: of the placement, as they were given.
  init(
    _ model: PublishedModel, _ quant: String, _ formats: WeightFormats, _ placement: Placement?, _ roles: RoleOptions
  ) {
    self.model = model.name
    format = formats.description
    let isSpread = (placement?.ranks ?? 1) > 1
    func start(_ folder: String) -> [String] {
      isSpread ? Self.pushed(folder, roles) : ["flotilla generate \(folder) -p Hello"]
    }
    var sources = [Source(official: model, quant, formats, start: start)]
    let experts = formats.format(.experts, columns: 256)
    if experts == .q4_K || experts == .q4_1, let quantised = model.quantised {
      sources.append(Source(quantised, of: model, isSpread: isSpread, start: start))
    }
    self.sources = sources
    prepared = Prepared(PreparedSizes(model.configuration, formats, plain: .bf16), placement)
  }
}

extension DownloadFacts {
  /// Lines that bring a prepared model to the nodes of a hostfile and run it there.
  private static func pushed(_ folder: String, _ roles: RoleOptions) -> [String] {
    let (nodes, there) = (["--hostfile", "hosts"], "/models/\(folder)")
    return [
      ShellText.line(["flotilla", "push", folder] + nodes + ["--to", there] + roles.words),
      ShellText.line(["flotilla", "launch"] + nodes + ["--", "generate", there] + roles.words + ["-p", "Hello"]),
    ]
  }
}

extension DownloadFacts.Source {
  /// - Parameter start: lines that run the prepared model of a folder.
  fileprivate init(
    official model: PublishedModel, _ quant: String, _ formats: WeightFormats, start: (String) -> [String]
  ) {
    let stored = ParameterInventory(model.configuration).storedTensors()
    var byType: [String: Int] = [:]
    for tensor in stored { byType[tensor.type.rawValue, default: 0] += tensor.bytes }
    let option = quant == "auto" ? "" : " --quant \(quant)"
    self.init(
      kind: "safetensors", repository: model.repository, files: model.files,
      bytes: stored.reduce(0) { $0 + $1.bytes }, publishedBytes: model.bytes, bytesByType: byType,
      mtpBytes: stored.reduce(0) { $0 + ($1.parameter.part == .mtp ? $1.bytes : 0) },
      commands: [
        "hf download \(model.repository) --local-dir \(model.name)",
        "flotilla prepare \(model.name) \(model.name)-prepared\(option)",
      ] + start("\(model.name)-prepared"), quant: formats.description)
  }

  /// - Parameter isSpread: whether it is prepared first, so that each node gets its part.
  fileprivate init(
    _ quantised: PublishedModel.Quantised, of model: PublishedModel, isSpread: Bool, start: (String) -> [String]
  ) {
    let file = "\(model.name)-GGUF/\(quantised.path)"
    let folder = "\(model.name)-GGUF-prepared"
    self.init(
      kind: "GGUF", repository: quantised.repository, files: quantised.count,
      bytes: quantised.tensorBytes(model.configuration), publishedBytes: nil, bytesByType: [:], mtpBytes: 0,
      commands: [
        "hf download \(quantised.repository) --include '\(quantised.files)' --local-dir \(model.name)-GGUF"
      ] + (isSpread ? ["flotilla prepare \(file) \(folder)"] + start(folder) : start(file)),
      quant: quantised.mix.rawValue)
  }
}

extension DownloadFacts.Prepared {
  fileprivate init(_ sizes: PreparedSizes, _ placement: Placement?) {
    let experts = sizes.bundles.compactMap { if case .expert = $0.key { $0.value } else { nil } }
    self.init(
      bytes: sizes.bytes, experts: experts.count, bytesPerExpert: experts.max() ?? 0,
      dense: sizes.bundles[.dense] ?? 0, gates: sizes.bundles[.gates] ?? 0, mtp: sizes.bundles[.mtp] ?? 0,
      bytesByRank: placement.map { placement in
        (0..<placement.ranks).map { rank in
          placement.bundles(of: rank).reduce(0) { $0 + (sizes.bundles[$1] ?? 0) }
        }
      })
  }
}

// MARK: - For people

extension DownloadFacts {
  var text: String {
    var lines = ["What to fetch to run \(model) in \(format)"]
    for source in sources { lines += [""] + source.lines.map { "  " + $0 } }
    lines += [""] + prepared.lines.map { "  " + $0 }
    lines += [
      "", "  Paste what you want: flotilla fetches nothing. For hf:",
      "    python3 -m venv ~/hf && ~/hf/bin/pip install huggingface_hub", "    PATH=~/hf/bin:$PATH",
    ]
    if let ranks = prepared.bytesByRank?.count, ranks > 1 {
      lines.append("  hosts: a file with a line NAME slots=1 for each rank's node, \(ranks) in all.")
    }
    return lines.joined(separator: "\n") + "\n"
  }
}

extension DownloadFacts.Source {
  fileprivate var lines: [String] {
    let count = files.map { "\($0) file\($0 == 1 ? "" : "s"), " } ?? ""
    var lines: [String] = []
    if kind == "GGUF" {
      lines.append("GGUF file in \(quant), made by others: \(count)about \(Format.bytes(bytes))")
      lines += commands.map { "  " + $0 }
      lines.append("Its blocks run as they are stored; in memory it is about as large as --quant \(quant).")
      return lines
    }
    let types = bytesByType.sorted { ($0.value, $1.key) > ($1.value, $0.key) }
      .map { "\($0.key) \(Format.bytes($0.value))" }
    lines.append("Official safetensors: \(count)\(Format.bytes(bytes)) (\(Format.exact(bytes)) bytes of tensors)")
    if let publishedBytes { lines.append("Files as published: \(Format.exact(publishedBytes)) bytes") }
    let mtp = mtpBytes > 0 ? "; \(Format.bytes(mtpBytes)) of it multi-token prediction" : ""
    lines.append(types.joined(separator: ", ") + mtp)
    lines += commands.map { "  " + $0 }
    return lines
  }
}

extension DownloadFacts.Prepared {
  fileprivate var lines: [String] {
    let mtp = mtp > 0 ? ", multi-token prediction \(Format.bytes(mtp))" : ""
    var lines = [
      "Of the safetensors, prepare writes \(Format.bytes(bytes)) on top:",
      "\(experts) experts of \(Format.bytes(bytesPerExpert)), dense part \(Format.bytes(dense)), "
        + "gates \(Format.bytes(gates))\(mtp)",
    ]
    if let bytesByRank, let least = bytesByRank.min(), let most = bytesByRank.max() {
      lines.append("Bundles on the disk of a rank: \(Format.bytes(least)) to \(Format.bytes(most))")
    }
    return lines
  }
}

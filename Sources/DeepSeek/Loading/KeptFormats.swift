import Checkpoint
import Kernels

/// What fp8 means for each matrix of an FP8 checkpoint: codes run as they are, and so do the matrices that the
/// checkpoint stores in another type.
struct KeptFormats: Sendable, Equatable {
  /// Matrices that are not codes, by official name.
  private(set) var others: [String: WeightFormat]
  /// What stands for "fp8" in a description: the formats of the parts in fp8, most matrices first.
  private(set) var name = WeightFormat.fp8.rawValue

  /// Official checkpoints have all in codes but embedding and head, which are BF16.
  static let official = KeptFormats(others: [ParameterNames.head: .bf16, ParameterNames.embedding: .bf16])

  private init(others: [String: WeightFormat]) { self.others = others }

  /// Looks at the types of all matrices.
  ///
  /// - Parameter parts: those that run in fp8.
  init(_ checkpoint: Checkpoint, parts: Set<WeightFormats.Part>) {
    self.init(others: [:])
    let model = checkpoint.configuration
    var counts: [WeightFormat: Int] = [:]
    var head: WeightFormat?
    ParameterInventory(model).forEach { parameter in
      guard let part = WeightFormats.Part(parameter, of: model), let tensor = checkpoint.info(parameter.name) else {
        return
      }
      let format = WeightFormat(keeping: tensor.type, block: model.quantizationBlock)
      if format != .fp8 { others[parameter.name] = format }
      guard parts.contains(part) else { return }
      if part == .head { head = format } else { counts[format, default: 0] += 1 }
    }
    // A head in BF16 is as official checkpoints have it: not worth a word beside the other parts.
    if let head, counts.isEmpty || head != .bf16 { counts[head, default: 0] += 1 }
    let names = WeightFormat.names(counts)
    if names != name { name = names + " as stored" }
  }
}

extension WeightFormat {
  /// What a matrix of a part in fp8 runs as: the codes of blocks of 128 x 128 as they are, else what loses nothing.
  init(keeping type: ElementType, block: ModelConfiguration.BlockSize?) {
    if type == .f8e4m3 && block == .fp8 {
      self = .fp8
    } else {
      self = type == .bf16 ? .bf16 : .f32
    }
  }

  /// "q4_K+q6_K": names by how many matrices there are.
  static func names(_ counts: [WeightFormat: Int]) -> String {
    counts.sorted { ($0.value, $1.key.rawValue) > ($1.value, $0.key.rawValue) }.map(\.key.rawValue)
      .joined(separator: "+")
  }
}

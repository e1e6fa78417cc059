import Checkpoint
import Kernels

/// Bytes of the bundles that ``Preparation`` would write, from a configuration alone: no checkpoint is needed.
public struct PreparedSizes: Sendable {
  public private(set) var bundles: [BundleName: Int] = [:]

  /// - Parameters:
  ///   - formats: run formats, as for a Hugging Face folder.
  ///   - plain: the type of what a checkpoint does not store in FP8.
  public init(_ configuration: ModelConfiguration, _ formats: WeightFormats, plain: ElementType) {
    let stored = ParameterInventory(configuration).storedTensors(plain: plain)
    let types = Dictionary(uniqueKeysWithValues: stored.map { ($0.name, $0.type) })
    var tensors: [BundleName: [Planned]] = [:]
    PreparedInventory(configuration).forEach { item in
      let type = types[item.source.name] ?? plain
      let layout = Self.layout(item, formats, configuration, stored: type)
      tensors[item.bundle, default: []].append((item.name, layout, item.shape, .max))
    }
    let mtp = stored.filter { $0.parameter.part == .mtp }.sorted { $0.name < $1.name }
    if !mtp.isEmpty { tensors[.mtp] = mtp.map { ($0.name, .rows($0.type), $0.shape, .max) } }
    bundles = Dictionary(
      uniqueKeysWithValues: tensors.map { ($0.key, PreparedBundle(name: $0.key, laying: $0.value).bytes) })
  }

  /// Of all bundles.
  public var bytes: Int { bundles.values.reduce(0, +) }

  private typealias Planned = (name: String, layout: PreparedTensor.Layout, shape: [Int], pieceBytes: Int)

  private static func layout(
    _ item: PreparedInventory.Item, _ formats: WeightFormats, _ model: ModelConfiguration, stored: ElementType
  ) -> PreparedTensor.Layout {
    switch item.content {
    case .vector: return .rows(.f32)
    case .stored: return .rows(stored)
    case .matrix, .keys, .keysTransposed, .values:
      let wanted = format(item, formats, model)
      return .panels(wanted == .fp8 ? WeightFormat(keeping: stored, block: model.quantizationBlock) : wanted)
    }
  }

  /// The format in which the loader asks for a matrix.
  private static func format(
    _ item: PreparedInventory.Item, _ formats: WeightFormats, _ model: ModelConfiguration
  ) -> WeightFormat {
    let columns = item.shape[item.shape.count - 1]
    switch item.content {
    case .keys, .values: return formats.format(.latentUp, columns: columns)
    case .keysTransposed: return formats.keysTransposed(model)
    case .matrix, .vector, .stored: break
    }
    let part: WeightFormats.Part
    switch item.source.part {
    case .gates: return .f32
    case .attention: part = .attention
    case .denseFeedForward: part = .dense
    case .sharedExperts: part = .shared
    case .routedExperts: part = .experts
    case .head: part = .head
    case .embedding, .norms, .mtp: preconditionFailure("\(item.name) is no matrix in panels")
    }
    guard let layer = item.source.layer, item.name.hasSuffix(".down_proj.weight") else {
      return formats.format(part, columns: columns)
    }
    return formats.down(part, layer: layer, of: model.layers, columns: columns)
  }
}

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
      let wanted = formats.format(item, of: model)
      return .panels(wanted == .fp8 ? WeightFormat(keeping: stored, block: model.quantizationBlock) : wanted)
    }
  }
}

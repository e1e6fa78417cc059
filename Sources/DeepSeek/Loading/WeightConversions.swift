import Checkpoint
import Kernels

/// What becomes of the tensors of a GGUF file that do not run as they lie.
public struct WeightConversions: Sendable, Equatable {
  /// Matrices that go the same way.
  public struct Item: Sendable, Hashable {
    public enum Kind: String, Sendable {
      /// Other blocks, the same numbers.
      case repacked
      /// Blocks to blocks that hold other numbers.
      case requantised
      /// Floating-point numbers to blocks.
      case quantised
      /// Blocks to floating-point numbers.
      case unpacked
    }

    public let stored: ElementType
    public let run: WeightFormat
    public let kind: Kind
    /// The keys of `kv_b_proj`, of which attention needs a second, transposed form.
    public let isOtherFormOfKeys: Bool
  }

  /// By number of matrices.
  public private(set) var items: [Item: Int] = [:]

  /// - Parameter formats: those that the checkpoint runs in.
  public init(_ checkpoint: Checkpoint, _ formats: WeightFormats) {
    guard checkpoint.prepared == nil, let types = checkpoint.storedTypes else { return }
    let model = checkpoint.configuration
    ParameterInventory(model).forEach { parameter in
      guard checkpoint.contains(parameter.name), parameter.shape.count == 2 else { return }
      if parameter.name == parameter.layer.map(ParameterNames.latentUp) {
        addLatentUp(parameter.name, types, formats.latentUp(parameter.name, model), formats)
      } else if let rows = types.matrices[parameter.name],
        let format = formats.format(parameter, of: model)
      {
        add(rows.type, format, formats)
      }
    }
  }

  private mutating func add(_ stored: ElementType, _ run: WeightFormat, _ formats: WeightFormats) {
    let kind: Item.Kind
    switch (stored.isBlock, run.block) {
    case (true, let block?):
      guard stored.block != block else { return }
      kind = stored.isHeld(by: block) ? .repacked : .requantised
    case (true, nil): kind = .unpacked
    case (false, .some):
      // Somebody asked for it, as for any checkpoint.
      guard formats.followsFile else { return }
      kind = .quantised
    case (false, nil): return
    }
    items[Item(stored: stored, run: run, kind: kind, isOtherFormOfKeys: false), default: 0] += 1
  }

  private mutating func addLatentUp(
    _ name: String, _ types: StoredTypes,
    _ run: (key: WeightFormat, keyTransposed: WeightFormat, value: WeightFormat), _ formats: WeightFormats
  ) {
    if let stored = types.latentUp[name] {
      add(stored.keys.type, run.keyTransposed, formats)
      add(stored.values.type, run.value, formats)
      if stored.keys.type.isBlock { addKeys(stored.keys.type, run.key) }
    } else if let rows = types.matrices[name] {
      add(rows.type, run.value, formats)
      if rows.type.isBlock { addKeys(rows.type, run.keyTransposed) }
    }
  }

  /// Blocks that are transposed are always quantised anew.
  private mutating func addKeys(_ stored: ElementType, _ run: WeightFormat) {
    let kind: Item.Kind = run.block == nil ? .unpacked : .requantised
    items[Item(stored: stored, run: run, kind: kind, isOtherFormOfKeys: true), default: 0] += 1
  }

  /// One line for each, most matrices first: "Q5_K requantised to q6_K (123 matrices)".
  public var texts: [String] {
    items.sorted { ($0.value, $1.key.text) > ($1.value, $0.key.text) }.map { item, count in
      "\(item.text) (\(count) \(count == 1 ? "matrix" : "matrices"))"
    }
  }
}

extension WeightConversions.Item {
  fileprivate var text: String {
    let change =
      switch kind {
      case .repacked: "repacked as \(run.rawValue), the same numbers"
      case .requantised, .quantised: "\(kind.rawValue) to \(run.rawValue)"
      case .unpacked: "unpacked to \(run.rawValue)"
      }
    return "\(stored.rawValue) \(change)" + (isOtherFormOfKeys ? " for the other form of attention's keys" : "")
  }
}

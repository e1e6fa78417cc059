/// Bytes of a checkpoint as stored, scales included.
public struct StoredSizes: Sendable, Equatable {
  /// By part of the model; parts without tensors are absent.
  public var byPart: [ModelPart: Int] = [:]
  /// By element type, of the tensors that are used; scales of FP8 weights count as F8_E4M3.
  public var byType: [ElementType: Int] = [:]
  /// Of one routed expert across all layers, by expert id. `[experts]`
  public var byExpert: [Int]

  /// All that is used: without multi-token prediction and surplus tensors.
  public var total: Int { byPart.reduce(0) { $0 + ($1.key == .mtp ? 0 : $1.value) } }

  /// What the coordinator holds: everything used but routed experts and gates.
  public var densePart: Int { total - byPart[.routedExperts, default: 0] - byPart[.gates, default: 0] }
}

extension Checkpoint {
  /// Adds up the headers; touches no weights.
  public func storedSizes() -> StoredSizes {
    var sizes = StoredSizes(byExpert: [Int](repeating: 0, count: configuration.routedExperts))
    ParameterInventory(configuration).forEach { parameter in
      guard let tensor = info(parameter.name) else { return }
      let bytes = storedBytes(tensor)
      sizes.byPart[parameter.part, default: 0] += bytes
      sizes.byType[tensor.type, default: 0] += bytes
      if let expert = parameter.expert { sizes.byExpert[expert] += bytes }
    }
    for name in skipped { sizes.byPart[.mtp, default: 0] += info(name)?.byteRange.count ?? 0 }
    return sizes
  }
}

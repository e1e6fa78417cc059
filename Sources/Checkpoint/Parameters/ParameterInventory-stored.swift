/// A tensor of an official checkpoint as it is stored.
public struct StoredTensor: Sendable, Equatable {
  public let name: String
  public let shape: [Int]
  public let type: ElementType
  /// The parameter that it is, or that it scales.
  public let parameter: Parameter

  public var bytes: Int { shape.reduce(1, *) * type.bytes }
}

extension ParameterInventory {
  /// The tensors of a checkpoint as DeepSeek stores them, multi-token prediction last. Projections are FP8 codes with a
  /// grid of f32 scales behind them where the configuration has FP8 blocks; correction biases are f32.
  ///
  /// - Parameter plain: the type of all others.
  public func storedTensors(plain: ElementType = .bf16) -> [StoredTensor] {
    parameters(includingMTP: true).flatMap { parameter -> [StoredTensor] in
      let (name, shape) = (parameter.name, parameter.shape)
      guard let block = configuration.quantizationBlock, shape.count == 2, Self.isQuantized(name) else {
        let type = name.hasSuffix(".e_score_correction_bias") ? .f32 : plain
        return [StoredTensor(name: name, shape: shape, type: type, parameter: parameter)]
      }
      let grid = [(shape[0] + block.rows - 1) / block.rows, (shape[1] + block.columns - 1) / block.columns]
      let scales = ParameterNames.scale(of: name)
      return [
        StoredTensor(name: name, shape: shape, type: .f8e4m3, parameter: parameter),
        StoredTensor(name: scales, shape: grid, type: .f32, parameter: parameter),
      ]
    }
  }

  /// Official FP8 checkpoints quantise every projection, and neither gates nor heads nor `eh_proj`.
  private static func isQuantized(_ name: String) -> Bool {
    name.hasSuffix("_proj.weight") && !name.hasSuffix(".eh_proj.weight") || name.hasSuffix("_proj_with_mqa.weight")
  }
}

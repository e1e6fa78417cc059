extension PublishedModel {
  public var configuration: ModelConfiguration { preset.configuration }

  /// Published models whose files have the sizes that a configuration calls for.
  public static func alike(_ configuration: ModelConfiguration) -> [PublishedModel] {
    let counts = ParameterInventory(configuration).countByPart
    return all.filter {
      let model = $0.configuration
      return ParameterInventory(model).countByPart == counts && model.mtpLayers == configuration.mtpLayers
        && model.quantizationBlock == configuration.quantizationBlock
    }
  }
}

extension PublishedModel.Quantised {
  /// Bytes of all tensors in this mix, without multi-token prediction, as the architecture tells. The makers of files
  /// choose a few types in another way, so it is a sum, not the size of theirs.
  public func tensorBytes(_ configuration: ModelConfiguration) -> Int {
    GGUFLayout(configuration: configuration).tensors().reduce(0) { sum, tensor in
      let rows = tensor.dimensions.dropFirst().reduce(1, *)
      return sum + rows * (mix.type(tensor, configuration).bytes(columns: tensor.dimensions[0]) ?? 0)
    }
  }
}

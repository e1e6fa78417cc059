import Kernels

/// Compares a manifest with what the model's configuration calls for.
struct PreparedCheck {
  private let manifest: PreparedManifest
  private let configuration: ModelConfiguration

  init(_ manifest: PreparedManifest, _ configuration: ModelConfiguration) {
    self.manifest = manifest
    self.configuration = configuration
  }

  /// - Throws: ``CheckpointError`` for the first tensor that is absent, wrong, or of no use.
  func run() throws {
    let expected = Set([.dense, .gates, .mtp] + (0..<configuration.routedExperts).map(BundleName.expert))
    for bundle in manifest.bundles where !expected.contains(bundle.name) {
      throw Fields.damaged("bundles", "bundles of \(configuration.routedExperts) experts", bundle.name.text)
    }
    let places = Dictionary(uniqueKeysWithValues: manifest.bundles.enumerated().map { ($1.name, $0) })
    var counts = [Int](repeating: 0, count: manifest.bundles.count)
    try PreparedInventory(configuration).forEach { item in
      guard let place = places[item.bundle] else { return }
      let tensors = manifest.bundles[place].tensors
      if counts[place] < tensors.count { try check(tensors[counts[place]], item) }
      counts[place] += 1
    }
    for (bundle, count) in zip(manifest.bundles, counts) where bundle.name != .mtp && bundle.tensors.count != count {
      throw Fields.damaged("bundle \(bundle.name.text)", "\(count) tensors", "\(bundle.tensors.count)")
    }
    try checkMTP()
  }

  private func check(_ tensor: PreparedTensor, _ item: PreparedInventory.Item) throws {
    var place: String { "tensor \(CheckpointError.short(item.name)) of \(item.bundle.text)" }
    guard tensor.name == item.name else { throw Fields.damaged(place, "it", "\"\(tensor.name)\" in its place") }
    guard tensor.shape == item.shape else { throw Fields.damaged(place, "shape \(item.shape)", "\(tensor.shape)") }
    let isRight: Bool
    switch (item.content, tensor.layout) {
    case (.vector, .rows(let type)): isRight = type == .f32
    case (.stored, .rows(let type)): isRight = TensorCheck.plainTypes.contains(type) || type.isBlock
    case (.matrix, .panels(let format)): isRight = item.bundle != .gates || format == .f32
    case (.keys, .panels), (.keysTransposed, .panels), (.values, .panels): isRight = true
    default: isRight = false
    }
    guard isRight else { throw Fields.damaged(place, "a layout and format for its use", "\(tensor.layout)") }
  }

  /// Nothing reads these; they may only not take another's name.
  private func checkMTP() throws {
    guard let bundle = manifest.bundles.first(where: { $0.name == .mtp }) else { return }
    for tensor in bundle.tensors {
      let layer = ParameterNames.layerIndex(of: tensor.name)
      guard let layer, layer >= configuration.layers, case .rows = tensor.layout else {
        throw Fields.damaged(
          "tensor \(CheckpointError.short(tensor.name)) of mtp",
          "rows of a layer from \(configuration.layers) on", "another")
      }
    }
  }
}

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
    var expected: [BundleName: [PreparedInventory.Item]] = [:]
    PreparedInventory(configuration).forEach { expected[$0.bundle, default: []].append($0) }
    for bundle in manifest.bundles where bundle.name != .mtp {
      guard let items = expected[bundle.name] else {
        throw Fields.damaged("bundles", "bundles of \(configuration.routedExperts) experts", bundle.name.text)
      }
      try check(bundle, items)
    }
    try checkMTP()
  }

  private func check(_ bundle: PreparedBundle, _ items: [PreparedInventory.Item]) throws {
    for (item, tensor) in zip(items, bundle.tensors) { try check(tensor, item) }
    guard items.count == bundle.tensors.count else {
      throw Fields.damaged("bundle \(bundle.name.text)", "\(items.count) tensors", "\(bundle.tensors.count)")
    }
  }

  private func check(_ tensor: PreparedTensor, _ item: PreparedInventory.Item) throws {
    let place = "tensor \(CheckpointError.short(item.name)) of \(item.bundle.text)"
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

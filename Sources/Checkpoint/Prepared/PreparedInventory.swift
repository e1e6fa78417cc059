/// What the bundles of a model hold, in the order in which they hold it.
public struct PreparedInventory: Sendable {
  /// What a tensor of a bundle is made from.
  public enum Content: Sendable, Equatable {
    /// A matrix, in panels.
    case matrix
    /// Of `kv_b_proj`, a matrix for each head: the keys' rows `[heads, nope, latent]`.
    case keys
    /// The same transposed, `[heads, latent, nope]`.
    case keysTransposed
    /// The values' rows, `[heads, value, latent]`.
    case values
    /// f32.
    case vector
    /// Rows as the source stores them.
    case stored
  }

  /// A tensor of a bundle.
  public struct Item: Sendable, Equatable {
    public let bundle: BundleName
    /// In the bundle.
    public let name: String
    public let shape: [Int]
    public let content: Content
    /// What it comes from.
    public let source: Parameter
  }

  public let configuration: ModelConfiguration

  public init(_ configuration: ModelConfiguration) { self.configuration = configuration }

  /// Visits the tensors of all bundles but that of multi-token prediction.
  public func forEach(_ body: (Item) throws -> Void) rethrows {
    let model = configuration
    try ParameterInventory(model).forEach { try forEachItem(of: $0, body) }
    guard model.tiesEmbeddings else { return }
    // The head runs in a format of its own, though it is the embedding.
    let shape = [model.vocabularySize, model.hidden]
    let embedding = Parameter(name: ParameterNames.embedding, shape: shape, part: .head, layer: nil, expert: nil)
    try body(Item(bundle: .dense, name: ParameterNames.head, shape: shape, content: .matrix, source: embedding))
  }

  private func forEachItem(of parameter: Parameter, _ body: (Item) throws -> Void) rethrows {
    func put(_ bundle: BundleName, _ content: Content, name: String? = nil, shape: [Int]? = nil) throws {
      try body(
        Item(
          bundle: bundle, name: name ?? parameter.name, shape: shape ?? parameter.shape, content: content,
          source: parameter))
    }
    let plain: Content = parameter.shape.count == 1 ? .vector : .matrix
    switch parameter.part {
    case .embedding: try put(.dense, .stored)
    case .gates: try put(.gates, plain)
    case .routedExperts: try put(parameter.expert.map(BundleName.expert) ?? .dense, plain)
    case .attention where parameter.name == parameter.layer.map(ParameterNames.latentUp):
      let model = configuration
      let (heads, latent) = (model.heads, model.latentRank)
      let names = LatentUpNames(parameter.name)
      try put(.dense, .keys, name: names.keys, shape: [heads, model.nopeDimension, latent])
      try put(.dense, .keysTransposed, name: names.keysTransposed, shape: [heads, latent, model.nopeDimension])
      try put(.dense, .values, name: names.values, shape: [heads, model.valueDimension, latent])
    case .attention, .denseFeedForward, .sharedExperts, .norms, .head, .mtp: try put(.dense, plain)
    }
  }
}

/// What a bundle calls the three tensors that `kv_b_proj` becomes.
public struct LatentUpNames {
  public let keys: String
  public let keysTransposed: String
  public let values: String

  /// - Parameter name: the official one.
  public init(_ name: String) {
    keys = name + ".keys"
    keysTransposed = name + ".keys_transposed"
    values = name + ".values"
  }
}

import Checkpoint
import DeepSeek
import Inference

/// What a token's row passes through between the products of each part of a model.
struct ElementCounts {
  private let configuration: ModelConfiguration
  private let costs: ModelCosts
  private var hidden: Int { configuration.hidden }
  /// Matrices, and those of them that want encoded rows.
  private var matrices: [Input: (all: Double, encoded: Double)] = [:]

  private struct Input: Hashable {
    let kind: HeldMatrix.Kind
    let columns: Int
  }

  init(_ costs: ModelCosts) {
    (self.costs, configuration) = (costs, costs.configuration)
    HeldMatrix.forEach(configuration, costs.formats) { matrix in
      var kind = matrix.kind
      if case .expert = kind { kind = .expert(0) }
      let isEncoded = matrix.format.encoding == .q8
      matrices[Input(kind: kind, columns: matrix.columns), default: (0, 0)].all += 1
      matrices[Input(kind: kind, columns: matrix.columns), default: (0, 0)].encoded += isEncoded ? 1 : 0
    }
  }

  /// Of the products of a kind with so long rows, the part whose rows are encoded.
  private func encoded(_ kind: HeldMatrix.Kind, _ columns: Int) -> Double {
    matrices[Input(kind: kind, columns: columns)].map { $0.encoded / $0.all } ?? 0
  }

  /// Of a layer: two norms of the row and those of query and key latents, rotary parts, the cache, and the sum.
  var attention: Elements {
    let c = configuration
    var elements = Elements()
    elements.add(.norm, columns: hidden, rows: 2)
    elements.add(.encode, columns: hidden, rows: encoded(.attention, hidden))
    if let rank = c.queryRank {
      elements.add(.norm, columns: rank)
      elements.add(.encode, columns: rank, rows: encoded(.attention, rank))
    }
    elements.add(.norm, columns: c.latentRank)
    elements.add(.add, columns: c.latentRank)
    elements.add(.add, columns: c.ropeDimension, rows: Double(c.heads + 1))
    let attended = c.heads * c.valueDimension
    elements.add(.encode, columns: attended, rows: encoded(.attention, attended))
    elements.add(.add, columns: hidden)
    return elements
  }

  /// Of generated positions: queries and sums of each head in the latent space.
  var absorbed: Elements {
    let c = configuration
    var elements = Elements()
    let heads = Double(c.heads)
    elements.add(.encode, columns: c.nopeDimension, rows: heads * encoded(.keysTransposed, c.nopeDimension))
    elements.add(.encode, columns: c.latentRank, rows: heads * encoded(.values, c.latentRank))
    elements.add(.add, columns: c.latentRank, rows: heads)
    return elements
  }

  /// Of a prompt's positions: latents from the cache.
  var expanded: Elements {
    var elements = Elements()
    elements.add(.add, columns: configuration.latentRank, rows: costs.cacheFormat == .f32 ? 0 : 1)
    elements.add(.encode, columns: configuration.latentRank, rows: encoded(.values, configuration.latentRank))
    return elements
  }

  /// The same: each head's sum, divided by that of its weights.
  var finished: Elements {
    var elements = Elements()
    elements.add(.add, columns: configuration.valueDimension, rows: Double(configuration.heads))
    return elements
  }

  /// Of all dense layers: the row in, and the sum.
  var dense: Elements {
    var elements = Elements()
    elements.add(.encode, columns: hidden, rows: encoded(.dense, hidden))
    elements.add(.add, columns: hidden)
    return elements * Double(configuration.layers - costs.expertLayers)
  }

  var denseMiddle: Elements {
    middle(configuration.denseIntermediate, .dense) * Double(configuration.layers - costs.expertLayers)
  }

  /// Of a layer: the row in, and the sums with the routed experts and of the layer.
  var shared: Elements {
    let hasShared = configuration.sharedExperts > 0
    var elements = Elements()
    elements.add(.encode, columns: hidden, rows: encoded(.shared, hidden))
    elements.add(.add, columns: hidden, rows: hasShared ? 2 : 1)
    return elements
  }

  var sharedMiddle: Elements { middle(configuration.sharedExperts * configuration.expertIntermediate, .shared) }

  /// Of a routed expert: the row comes to its place, and what it gives is weighted and added up.
  var expert: Elements {
    var elements = middle(configuration.expertIntermediate, .expert(0))
    elements.add(.add, columns: sentColumns)
    elements.add(.add, columns: hidden, rows: 2)
    return elements
  }

  /// Of a layer: the row is written into a message, encoded, and written into those for hosts.
  var gate: Elements {
    var elements = Elements()
    elements.add(.add, columns: hidden)
    elements.add(.encode, columns: hidden, rows: sendsEncoded ? 1 : 0)
    elements.add(.add, columns: sentColumns)
    return elements
  }

  var head: Elements {
    var elements = Elements()
    elements.add(.norm, columns: hidden)
    elements.add(.encode, columns: hidden, rows: encoded(.head, hidden))
    return elements
  }

  /// SwiGLU, and its result as the down projection wants it.
  private func middle(_ width: Int, _ kind: HeldMatrix.Kind) -> Elements {
    var elements = Elements()
    guard width > 0 else { return elements }
    elements.add(.activate, columns: width)
    elements.add(.encode, columns: width, rows: encoded(kind, width))
    return elements
  }

  private var sendsEncoded: Bool { costs.formats.dispatchEncoding(hidden: hidden) == .q8 }
  /// Of a row as experts read it: a quarter of the bytes where it is encoded.
  private var sentColumns: Int { sendsEncoded ? hidden / 4 : hidden }
}

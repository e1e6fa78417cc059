import Checkpoint
import Kernels

/// What the coordinator computes of a DeepSeek-V2, V3 or R1 model: everything but gates and routed experts,
/// which lie behind the fabric.
public final class Model {
  public let configuration: ModelConfiguration
  public let compute: Compute
  public let workspace: Workspace
  /// Parts that a long prompt chunk is cut into, so that attention of one overlaps with the experts of another; worth
  /// it where experts live on other ranks. Changes no bit.
  public var microBatches = 1
  /// Asked before each layer; what it throws ends the step and leaves nothing under way. What the caches hold of the
  /// step's positions is then written again by the next one.
  public var mayGoOn: (() throws -> Void)?
  /// Watches what passes through; for traces.
  public var observer: (any ForwardObserver)?
  /// Is told which experts ran; unlike ``observer`` it changes nothing of how a step runs.
  public var routingTap: (any RoutingTap)?
  let embedding: TensorSource
  let layers: [Layer]
  let finalNorm: [Float]
  /// `[V, H]`
  let head: PackedMatrix

  init(
    configuration: ModelConfiguration, embedding: TensorSource, layers: [Layer], finalNorm: [Float],
    head: PackedMatrix, workspace: Workspace, compute: Compute
  ) {
    self.configuration = configuration
    self.embedding = embedding
    self.layers = layers
    self.finalNorm = finalNorm
    self.head = head
    self.workspace = workspace
    self.compute = compute
  }

  /// Runs a batch through all layers. The batch's rows and tokens are checked by whoever makes it.
  ///
  /// - Returns: the residual stream, `[T, H]` f32, valid until the next call.
  public func forward(_ batch: Batch, fabric: any ExpertFabric) throws -> ActivationRows {
    let step = step(fabric)
    let hidden = workspace.hidden.rows(batch.rows)
    embed(batch.tokens, into: hidden)
    // An observer sees all rows of a layer at once.
    let parts = MicroBatch.cut(batch, most: observer == nil ? microBatches : 1, workspace: workspace)
    for layer in layers {
      do {
        try mayGoOn?()
      } catch {
        for part in parts { try part.settle(step) }
        throw error
      }
      for part in parts { try layer(part, step) }
    }
    for part in parts { try part.settle(step) }
    return hidden
  }

  /// Logits of some rows of a residual stream, `[rows.count, V]` f32, valid until the next call.
  public func logits(of rows: [Int], in hidden: ActivationRows, fabric: any ExpertFabric) throws -> ActivationRows {
    try compute.measure(.head) {
      let selected = workspace.selected.rows(rows.count)
      for (index, row) in rows.enumerated() {
        selected[rows: index..<index + 1].copy(from: hidden[rows: row..<row + 1])
      }
      compute.rmsNorm(selected, weight: finalNorm, epsilon: Float(configuration.normEpsilon), into: selected)
      observer?.normed(selected)
      let logits = workspace.logits.rows(rows.count)
      try step(fabric).multiply(.head, layer: 0, compute.encode(selected, for: head), head, into: logits)
      return logits
    }
  }

  /// Bytes of a latent cache for one position.
  public var cacheBytesPerPosition: Int {
    LatentCache.bytesPerPosition(
      layers: configuration.layers, latentRank: configuration.latentRank, rotarySize: configuration.ropeDimension,
      format: workspace.cacheFormat)
  }

  /// A latent cache for a sequence of at most `capacity` tokens, in the workspace's format.
  public func makeCache(capacity: Int) -> LatentCache {
    LatentCache(
      layers: configuration.layers, capacity: capacity, latentRank: configuration.latentRank,
      rotarySize: configuration.ropeDimension, format: workspace.cacheFormat)
  }

  private func step(_ fabric: any ExpertFabric) -> Step {
    Step(workspace: workspace, compute: compute, fabric: fabric, observer: observer, routingTap: routingTap)
  }

  private func embed(_ tokens: [Int], into hidden: ActivationRows) {
    compute.measure(.embedding) {
      // Rows of a prompt may lie on disk: the system reads them all at once, not one after the other.
      if tokens.count > 1 { for token in tokens { embedding.fetchAhead(token..<token + 1) } }
      compute.forEachRow(tokens.count, cost: hidden.columns) { row in
        let token = tokens[row]
        embedding.readRows(token..<token + 1, into: hidden[row].baseAddress!, stride: hidden.columns)
      }
      observer?.embedded(hidden)
    }
  }
}

/// Watches a forward pass. All rows are `[T, H]` f32 of the current batch and valid during the call only.
public protocol ForwardObserver: AnyObject {
  func embedded(_ hidden: ActivationRows)
  func layerDone(_ layer: Int, hidden: ActivationRows)
  func routed(_ layer: Int, _ routing: Routing)
  /// Rows whose logits were asked for, after the final norm.
  func normed(_ rows: ActivationRows)
}

/// Is told which experts ran.
public protocol RoutingTap: AnyObject {
  /// - Parameters:
  ///   - layer: of the model.
  ///   - rows: of the step's batch.
  ///   - routing: of these rows, valid during the call only.
  func routed(layer: Int, rows: Range<Int>, _ routing: Routing)
}

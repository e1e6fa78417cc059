import Checkpoint
import DeepSeek
import Foundation
import Kernels
import TestSupport

/// A fixture's model with everything on one rank.
struct LocalModel {
  let model: Model
  let fabric: LocalFabric
  let expertBytes: Int

  init(
    _ name: String, folder: URL? = nil, format: WeightFormat = .f32, cache: CacheFormat = .f32, threads: Int = 1,
    kernels: KernelTable = .best, positions: Int = 128, absorbedRows: Int = 128
  ) throws {
    let compute = Compute(kernels: kernels, threads: threads)
    let checkpoint = try Checkpoint.open(folder ?? Fixtures.url(name))
    let loader = WeightLoader(checkpoint: checkpoint, formats: WeightFormats(format), compute: compute)
    let configuration = checkpoint.configuration
    model = try loader.model(
      positions: positions,
      workspace: Workspace(
        configuration, maxRows: 128, maxAbsorbedRows: absorbedRows, maxLogits: 128, cacheFormat: cache,
        compute: compute))
    let experts = try loader.experts(0..<configuration.routedExperts, maxTokens: 1)
    fabric = LocalFabric(gates: try loader.gates(), experts: experts)
    expertBytes = experts.bytes
  }

  /// Logits `[T, V]` of tokens fed in pieces, `forms[i]` telling how piece i is computed.
  func logits(_ tokens: [Int], pieces: [(count: Int, form: AttentionForm)]) throws -> [[Float]] {
    let cache = model.makeCache(capacity: tokens.count)
    var rows: [[Float]] = []
    for piece in pieces {
      var batch = Batch()
      let segment = Segment(cache: cache, firstPosition: rows.count, count: piece.count, form: piece.form)
      batch.append(segment, tokens: tokens[rows.count..<rows.count + piece.count])
      let logits = try model.logits(
        of: Array(0..<piece.count), in: try model.forward(batch, fabric: fabric), fabric: fabric)
      rows += (0..<piece.count).map { Array(logits[$0]) }
    }
    return rows
  }
}

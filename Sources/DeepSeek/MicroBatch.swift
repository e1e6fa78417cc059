import Kernels

/// Some rows of a step on their way through the layers, and the experts' answer they wait for.
///
/// A long prompt chunk goes as two or more: while the experts work on one, the coordinator computes attention for the
/// next, which needs of the first only the cache that it has written at that layer.
final class MicroBatch {
  let batch: Batch
  /// The residual stream, `[T, H]`.
  let hidden: ActivationRows
  /// What goes into attention or feed-forward, `[T, H]`.
  let normed: ActivationRows
  /// What attention or feed-forward gives, `[T, H]`.
  let branch: ActivationRows
  private let routed: ActivationRows
  /// Of the step's batch.
  private let rows: Range<Int>
  private var pending: Layer?
  private var ticket: DispatchTicket?

  /// - Parameter rows: of the step's whole batch.
  init(_ batch: Batch, rows: Range<Int>, workspace: Workspace) {
    self.batch = batch.slice(rows)
    self.rows = rows
    hidden = workspace.hidden.rows(batch.rows)[rows: rows]
    normed = workspace.normed.rows(batch.rows)[rows: rows]
    branch = workspace.branch.rows(batch.rows)[rows: rows]
    routed = workspace.routed.rows(batch.rows)[rows: rows]
  }

  /// The feed-forward of a layer has begun: `branch` holds what was computed here, the rest is under way.
  func expect(_ ticket: consuming DispatchTicket?, of layer: Layer) {
    self.ticket = consume ticket
    pending = layer
  }

  /// Fetches what is under way and adds the feed-forward to the residual stream.
  func settle(_ step: Step) throws {
    guard let layer = pending else { return }
    pending = nil
    if let ticket = ticket.take() {
      if layer.feedForward.hasSharedExpert {
        try step.fabric.combine(ticket, into: routed)
        step.compute.add(routed, to: branch)
      } else {
        try step.fabric.combine(ticket, into: branch)
      }
      step.observer?.routed(layer.index, step.fabric.routing)
      step.routingTap?.routed(layer: layer.index, rows: rows, step.fabric.routing)
    }
    step.compute.add(branch, to: hidden)
    step.observer?.layerDone(layer.index, hidden: hidden)
  }

  /// Cuts a step's rows into at most `most` parts of about equal size, for each of which there are `leastRows` rows of
  /// prompts. Generated tokens alone are not cut, however many sequences there are: two halves visit more experts than the
  /// whole.
  static func cut(_ batch: Batch, most: Int, workspace: Workspace) -> [MicroBatch] {
    let count = max(1, min(most, (batch.rows - batch.absorbedRows) / leastRows))
    return (0..<count).map { part in
      MicroBatch(
        batch, rows: part * batch.rows / count..<(part + 1) * batch.rows / count, workspace: workspace)
    }
  }

  /// Fewer rows would read every expert's weights for too little work.
  private static let leastRows = 64
}

import Checkpoint

extension Placement {
  /// Bundles of a prepared model that a rank reads.
  public func bundles(of rank: Int) -> [BundleName] {
    (rank == coordinator || slices.contains(rank) ? [.dense] : []) + (rank == router ? [.gates] : [])
      + experts(of: rank).map { .expert($0) }
  }
}

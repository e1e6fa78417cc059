import Inference
import Kernels

/// What a prediction takes for granted beside what was calibrated: whoever shows it, shows these too.
public struct Assumptions: Sendable {
  public let efficiency: Efficiency
  /// Whether products are predicted from peaks, since a node's were not calibrated.
  public let usesPeaks: Bool
  /// Whether attention, jobs and what does not overlap are predicted from constants, since a node's were not calibrated.
  public let usesConstants: Bool
  /// Whether work along rows is, since a node's was not calibrated.
  public let assumesElements: Bool
  /// Of the int8 peak's part, with codes of 6 and 8 bits on such a node with AVX2; nil where there is none.
  public let wideProducts: Double?
  /// Of the shorter one of reading and computing, what the longer one does not hide.
  public let overlapLoss: Double

  public init(_ cluster: ClusterDescription, _ efficiency: Efficiency = Efficiency()) {
    let peaksOnly = cluster.nodes.filter { $0.products?.isEmpty != false }
    self.efficiency = efficiency
    usesPeaks = !peaksOnly.isEmpty
    usesConstants = cluster.nodes.contains { $0.costs?.isEmpty != false }
    assumesElements = cluster.nodes.contains { $0.costs?.allSatisfy { $0.elementwise != nil } != true }
    wideProducts =
      peaksOnly.contains { $0.instructionSet == InstructionSet.avx2.rawValue } ? Efficiency.wideProductsWithAVX2 : nil
    overlapLoss = Efficiency.overlapLoss
  }
}

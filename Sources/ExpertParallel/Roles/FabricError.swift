/// Why a distributed run ended. One error for the whole job, raised at the coordinator.
public struct FabricError: Error, Sendable, Equatable, CustomStringConvertible {
  public enum Reason: String, Sendable {
    /// A rank has not been heard from for too long.
    case lost
    /// A rank reported that it cannot go on.
    case fault
    /// A rank sent what it should not have sent.
    case invalidMessage
    /// A rank cannot open what it is to run.
    case unusable
    /// Ranks do not run the same thing.
    case disagreement
    /// The coordinator ended the job; seen by the other ranks.
    case ended
  }

  public var reason: Reason
  public var rank: Int
  public var host: String
  public var layer: Int?
  /// Which token of which sequence: "token 44 of sequence 0".
  public var place: String?
  public var text: String

  public init(reason: Reason, rank: Int, host: String, layer: Int? = nil, text: String) {
    self.reason = reason
    self.rank = rank
    self.host = host
    self.layer = layer
    self.text = text
  }

  init(_ lost: RankLost, layer: Int?, awaited: String) {
    let silence = (lost.silence * 10).rounded() / 10
    self.init(
      reason: .lost, rank: lost.rank, host: lost.host, layer: layer,
      text: "nothing heard for \(silence) s while waiting for \(awaited)"
        + (lost.isEnding ? ", and the launcher ends the job" : ""))
  }

  init(_ error: WireError, host: String, layer: Int?) {
    self.init(
      reason: .invalidMessage, rank: error.source, host: host, layer: layer, text: error.description)
  }

  public var description: String {
    guard reason != .ended else { return "ended by the coordinator: \(text)" }
    let at = [layer.map { "layer \($0)" }, place].compactMap { $0 }.joined(separator: ", ")
    return "rank \(rank) on host \(host): \(text)" + (at.isEmpty ? "" : " (at \(at))")
  }
}

import DeepSeek
import ExpertParallel
import Inference
import Planning

/// Who computes the dense part of generated tokens, in a sentence.
struct DivisionText {
  let placement: Placement
  let layout: RankLayout
  /// Sequences that are generated at once.
  let sequences: Int

  private static let part = "the dense part of generated tokens"

  /// What comes of the placement, and of what was asked for; nil where nobody asked and nobody divides.
  ///
  /// - Parameter asked: nil: nobody was.
  func sentence(asked: DenseSlicing?) -> String? {
    guard asked != nil || !placement.slices.isEmpty else { return nil }
    let outcome = placement.slices.isEmpty ? undivided(asked) : divided
    guard let asked else { return outcome.prefix(1).uppercased() + outcome.dropFirst() + "." }
    return "Asked for with --dense-slices \(asked.rawValue): \(outcome)."
  }

  private var divided: String {
    let most = SliceShare.mostTokensBesideExperts
    return sequences <= most || layout.hasSharesOnOneNode(placement)
      ? "\(placement.slices.count + 1) ranks divide \(Self.part)"
      : "\(Self.part) is not divided, since a step has \(sequences) rows, more than \(most), and ranks of several nodes "
        + "hold it"
  }

  private func undivided(_ asked: DenseSlicing?) -> String {
    switch asked {
    case .host: "the coordinator's node has no other rank to divide \(Self.part) with"
    case .all: "there is no other rank to divide \(Self.part) with"
    case .none?, nil: "the coordinator alone computes \(Self.part)"
    }
  }
}

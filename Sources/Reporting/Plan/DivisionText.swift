import DeepSeek
import ExpertParallel
import Inference

/// Who computes the dense part of generated tokens, in a sentence.
enum DivisionText {
  /// What comes of a placement, and of what was asked for; nil where nobody asked and nobody divides.
  ///
  /// - Parameters:
  ///   - asked: nil: nobody was.
  ///   - sequences: that are generated at once.
  static func sentence(_ placement: Placement, asked: DenseSlicing?, sequences: Int) -> String? {
    guard asked != nil || !placement.slices.isEmpty else { return nil }
    let outcome = outcome(placement, asked: asked, sequences: sequences)
    guard let asked else { return outcome.prefix(1).uppercased() + outcome.dropFirst() + "." }
    return "Asked for with --dense-slices \(asked.rawValue): \(outcome)."
  }

  private static func outcome(_ placement: Placement, asked: DenseSlicing?, sequences: Int) -> String {
    let part = "the dense part of generated tokens"
    guard placement.slices.isEmpty else {
      return sequences <= SliceShare.mostTokens
        ? "\(placement.slices.count + 1) ranks divide \(part)"
        : "\(part) is not divided, since a step has \(sequences) rows, more than \(SliceShare.mostTokens)"
    }
    return switch asked {
    case .host: "the coordinator's node has no other rank to divide \(part) with"
    case .all: "there is no other rank to divide \(part) with"
    case .none?, nil: "the coordinator alone computes \(part)"
    }
  }
}

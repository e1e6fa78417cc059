import DeepSeek
import ExpertParallel
import Kernels

extension Model {
  /// A forward pass whose error says which tokens it was about.
  ///
  /// - Parameters:
  ///   - sequences: the number of each segment's sequence.
  ///   - kind: what a person calls them: sequence, prompt, window.
  func forward(
    _ batch: Batch, of sequences: [Int], kind: String = "sequence", fabric: any ExpertFabric
  ) throws -> ActivationRows {
    do {
      return try forward(batch, fabric: fabric)
    } catch var error as FabricError {
      error.place = batch.place(of: sequences, kind: kind)
      throw error
    }
  }
}

extension Batch {
  /// What a step computes, in words: "token 44 of sequence 0". Generated tokens are told as the one that the step is to
  /// choose, by its position, as in all output.
  func place(of sequences: [Int], kind: String) -> String {
    precondition(sequences.count == segments.count)
    let most = 3
    let parts = zip(sequences, segments).prefix(most).map { sequence, segment in
      let first = segment.firstPosition
      return segment.form == .absorbed
        ? "token \(first + 1) of \(kind) \(sequence)"
        : "prompt tokens \(first)..<\(first + segment.count) of \(kind) \(sequence)"
    }
    let others = segments.count - parts.count
    return parts.joined(separator: ", ") + (others > 0 ? " and \(others) more" : "")
  }
}

import Checkpoint
import Kernels

/// One layer's gate: affinity of a token to each of E experts, and the choice of k.
///
/// Matrix and bias are never quantised; all arithmetic in f32. Source: DeepSeek-V3 report, eq. 13 to 16;
/// DeepSeek-V2 report, 2.2.
struct Gate {
  /// `[E, H]`
  let matrix: PackedMatrix
  /// `[E]` correction bias; steers the choice, never the weights. Nil for V2.
  let bias: [Float]?

  /// Turns the logits of a token into affinities, `[E]`, in place.
  func affinities(_ logits: UnsafeMutableBufferPointer<Float>, _ rule: SelectionRule, compute: Compute) {
    switch rule.scoring {
    case .sigmoid:
      compute.sigmoid(logits)
    case .softmax:
      let sum = compute.exp(logits, shift: logits.max() ?? 0)
      for index in logits.indices { logits[index] = logits[index] / sum }
    }
  }
}

/// How experts are chosen from affinities; the same in every layer.
package struct SelectionRule: Sendable {
  let scoring: ModelConfiguration.Scoring
  let selection: ModelConfiguration.Selection
  package let expertsPerToken: Int
  let groups: Int
  let groupsPerToken: Int
  let normalizesWeights: Bool
  let scale: Float

  package init(_ configuration: ModelConfiguration) {
    scoring = configuration.scoring
    selection = configuration.selection
    expertsPerToken = configuration.expertsPerToken
    groups = configuration.groups
    groupsPerToken = configuration.groupsPerToken
    normalizesWeights = configuration.normalizesWeights
    scale = Float(configuration.routedScale)
  }

  /// Chooses k experts of one token.
  ///
  /// - Parameters:
  ///   - affinities: `[E]`, unbiased.
  ///   - choice: `[E]` scratch: affinity plus bias; masked where a group loses or an expert is taken.
  ///   - experts: `[k]` ids out, ascending.
  ///   - weights: `[k]` out: affinities of the chosen, normalised if asked for, times the scale.
  package func choose(
    affinities: UnsafeMutableBufferPointer<Float>, bias: [Float]?, choice: UnsafeMutableBufferPointer<Float>,
    experts: UnsafeMutableBufferPointer<UInt16>, weights: UnsafeMutableBufferPointer<Float>
  ) {
    for expert in affinities.indices {
      let value = affinities[expert] + (bias?[expert] ?? 0)
      choice[expert] = value.isNaN ? -.infinity : value
    }
    if selection != .greedy && groupsPerToken < groups { maskLosingGroups(choice) }
    for slot in 0..<expertsPerToken { experts[slot] = UInt16(takeBest(choice)) }
    var ascending = experts
    ascending.sort()

    var sum: Float = 0
    for slot in 0..<expertsPerToken {
      weights[slot] = affinities[Int(experts[slot])]
      sum += weights[slot]
    }
    let divisor = normalizesWeights ? sum + 1e-20 : 1
    for slot in 0..<expertsPerToken { weights[slot] = weights[slot] / divisor * scale }
  }

  /// The index of the largest value that is not taken; the lowest index among equals. It is taken then: NaN.
  private func takeBest(_ choice: UnsafeMutableBufferPointer<Float>) -> Int {
    var best = -1
    for expert in choice.indices where !choice[expert].isNaN {
      if best < 0 || choice[expert] > choice[best] { best = expert }
    }
    choice[best] = .nan
    return best
  }

  /// Keeps the best `groupsPerToken` groups; -infinity elsewhere, since biased values can be negative.
  private func maskLosingGroups(_ choice: UnsafeMutableBufferPointer<Float>) {
    let size = choice.count / groups
    withUnsafeTemporaryAllocation(of: Float.self, capacity: groups) { scores in
      for group in 0..<groups {
        scores[group] = groupScore(UnsafeBufferPointer(rebasing: choice[group * size..<(group + 1) * size]))
      }
      for _ in 0..<groupsPerToken { _ = takeBest(scores) }
      for group in 0..<groups where !scores[group].isNaN {
        for expert in group * size..<(group + 1) * size { choice[expert] = -.infinity }
      }
    }
  }

  /// V3: the sum of a group's two best; V2: its best.
  private func groupScore(_ values: UnsafeBufferPointer<Float>) -> Float {
    var best = -Float.infinity
    var second = -Float.infinity
    for value in values {
      if value > best {
        second = best
        best = value
      } else if value > second {
        second = value
      }
    }
    return selection == .biasedGroups && values.count > 1 ? best + second : best
  }
}

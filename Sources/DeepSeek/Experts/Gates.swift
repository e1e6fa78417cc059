import Checkpoint
import Kernels

/// The gates of all layers, as the router rank holds them.
public final class Gates: TokenGate {
  public let expertCount: Int
  public let hidden: Int
  public var expertsPerToken: Int { rule.expertsPerToken }
  /// Bytes of the gate matrices.
  public let bytes: Int
  /// `[layers]`; nil for dense layers.
  private let gates: [Gate?]
  private let rule: SelectionRule
  private let compute: Compute
  private let affinities: ActivationBuffer
  private let choices: ActivationBuffer
  private var encoded: EncodedBuffer
  /// Tokens that are scored in one go.
  private static let slice = 256

  init(gates: [Gate?], configuration: ModelConfiguration, compute: Compute) {
    self.gates = gates
    self.compute = compute
    expertCount = configuration.routedExperts
    hidden = configuration.hidden
    rule = SelectionRule(configuration)
    bytes = gates.reduce(0) { $0 + ($1?.matrix.bytes ?? 0) }
    affinities = ActivationBuffer(capacity: Self.slice, columns: configuration.routedExperts)
    choices = ActivationBuffer(capacity: Self.slice, columns: configuration.routedExperts)
    encoded = EncodedBuffer(capacity: Self.slice, columns: configuration.hidden)
  }

  public func hasExperts(layer: Int) -> Bool { gates.indices.contains(layer) && gates[layer] != nil }

  public func route(_ tokens: ActivationRows, layer: Int, wantsLogits: Bool, into routing: inout Routing) {
    guard let gate = gates[layer] else { preconditionFailure("layer \(layer) has no gate") }
    routing.resize(tokens: tokens.count)
    for start in stride(from: 0, to: tokens.count, by: Self.slice) {
      let range = start..<min(start + Self.slice, tokens.count)
      let scores = affinities.rows(range.count)
      compute.multiply(tokens[rows: range], gate.matrix, into: scores)
      if wantsLogits { for row in 0..<range.count { routing.logits.append(contentsOf: scores[row]) } }
      choose(scores, gate, from: start, into: &routing)
    }
  }

  public func encode(_ tokens: ActivationRows, as encoding: ActivationEncoding) -> ProductInput {
    if tokens.count > encoded.capacity { encoded = EncodedBuffer(capacity: tokens.count, columns: hidden) }
    return compute.encode(tokens, as: encoding, in: encoded)
  }

  /// Operations of the choice for one token, as tiles are cut by.
  public static func choosingCost(experts: Int, perToken: Int) -> Int { experts * (perToken + 4) }

  private func choose(_ scores: ActivationRows, _ gate: Gate, from first: Int, into routing: inout Routing) {
    let k = expertsPerToken
    let choices = choices.rows(scores.count)
    routing.experts.withUnsafeMutableBufferPointer { experts in
      routing.weights.withUnsafeMutableBufferPointer { weights in
        compute.forEachRow(scores.count, cost: Self.choosingCost(experts: scores.columns, perToken: k)) { row in
          let slots = (first + row) * k..<(first + row + 1) * k
          gate.affinities(scores[row], rule, compute: compute)
          rule.choose(
            affinities: scores[row], bias: gate.bias, choice: choices[row],
            experts: UnsafeMutableBufferPointer(rebasing: experts[slots]),
            weights: UnsafeMutableBufferPointer(rebasing: weights[slots]))
        }
      }
    }
  }
}

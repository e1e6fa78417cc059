import DeepSeek
import Kernels

/// Computes as another gate does, and then chooses what the tokens of a recorded run chose, layer by layer from its
/// beginning, and again from there where the record is shorter.
final class ReplayGate: TokenGate {
  private let gate: any TokenGate
  private let record: RoutingRecord
  /// Position in the record's layers of each layer of the model, or nil.
  private let position: [Int: Int]
  /// By layer: tokens so far.
  private var routed: [Int: Int] = [:]

  /// - Parameter record: of the same shape, with a token at least.
  init(_ gate: any TokenGate, _ record: RoutingRecord) {
    self.gate = gate
    self.record = record
    position = Dictionary(uniqueKeysWithValues: record.header.layers.enumerated().map { ($1, $0) })
  }

  var expertCount: Int { gate.expertCount }
  var expertsPerToken: Int { gate.expertsPerToken }
  var hidden: Int { gate.hidden }

  func route(_ tokens: ActivationRows, layer: Int, wantsLogits: Bool, into routing: inout Routing) {
    gate.route(tokens, layer: layer, wantsLogits: wantsLogits, into: &routing)
    guard let place = position[layer] else { return }
    let first = routed[layer, default: 0]
    for token in 0..<tokens.count {
      let chosen = record.experts(ofToken: (first + token) % record.tokens, layer: place)
      for (slot, expert) in zip(routing.slots(of: token), chosen) { routing.experts[slot] = expert }
    }
    routed[layer] = (first + tokens.count) % record.tokens
  }

  func encode(_ tokens: ActivationRows, as encoding: ActivationEncoding) -> ProductInput {
    gate.encode(tokens, as: encoding)
  }

  func hasExperts(layer: Int) -> Bool { gate.hasExperts(layer: layer) }
}

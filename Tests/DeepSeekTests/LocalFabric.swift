import DeepSeek
import Kernels

/// Gate and experts in one place, without messages: each token by itself, experts one by one, summed along the
/// tree of DESIGN section 2. The plain thing that the distributed path is held against.
final class LocalFabric: ExpertFabric {
  private let gates: any TokenGate
  private let experts: any ExpertShard
  private let result: ActivationBuffer
  private var pending: ActivationBuffer?
  private var batch: UInt32 = 0
  private(set) var routing: Routing

  init(gates: any TokenGate, experts: any ExpertShard) {
    self.gates = gates
    self.experts = experts
    result = ActivationBuffer(capacity: 1, columns: gates.hidden)
    routing = Routing(tokens: 0, expertsPerToken: gates.expertsPerToken)
  }

  func dispatch(_ tokens: ActivationRows, layer: Int) throws -> DispatchTicket {
    pending = ActivationBuffer(capacity: tokens.count, columns: tokens.columns)
    pending!.rows(tokens.count).copy(from: tokens)
    batch += 1
    return DispatchTicket(layer: layer, tokens: tokens.count, batch: batch)
  }

  func combine(_ ticket: consuming DispatchTicket, into output: ActivationRows) throws {
    let (layer, count) = (ticket.layer, ticket.tokens)
    let tokens = pending!.rows(count)
    gates.route(tokens, layer: layer, wantsLogits: true, into: &routing)
    for token in 0..<count {
      var rows: [Int: [Float]] = [:]
      for slot in routing.slots(of: token) {
        let expert = Int(routing.experts[slot])
        let input = gates.encode(tokens[rows: token..<token + 1], as: experts.encoding)
        withUnsafePointer(to: routing.weights[slot]) { weight in
          withUnsafePointer(to: Int32(0)) { source in
            experts.apply(
              ExpertRows(
                groups: [.init(expert: expert, rows: 0..<1)], input: input,
                sources: UnsafeBufferPointer(start: source, count: 1),
                weights: UnsafeBufferPointer(start: weight, count: 1), output: result.rows(1)),
              layer: layer)
          }
        }
        rows[expert] = Array(result.rows(1)[0])
      }
      let sum = Self.sum(rows, 0, gates.expertCount)!
      for column in 0..<tokens.columns { output[token][column] = sum[column] }
    }
  }

  private static func sum(_ rows: [Int: [Float]], _ low: Int, _ high: Int) -> [Float]? {
    if high - low == 1 { return rows[low] }
    var half = 1
    while half * 2 < high - low { half *= 2 }
    guard let left = sum(rows, low, low + half) else { return sum(rows, low + half, high) }
    guard let right = sum(rows, low + half, high) else { return left }
    return zip(left, right).map { $0 + $1 }
  }
}

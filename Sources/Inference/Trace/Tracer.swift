import Checkpoint
import DeepSeek
import Kernels

/// Runs token ids through the model and keeps everything that passes, for comparison with other implementations.
///
/// Prompt positions are expanded, greedy continuations absorbed, exactly as when generating.
public final class Tracer {
  private let model: Model
  private let fabric: any ExpertFabric
  private let chunk: Int

  /// - Parameters:
  ///   - fabric: must report gate logits with its routing.
  ///   - chunk: prompt tokens of a step.
  public init(model: Model, fabric: any ExpertFabric, chunk: Int) {
    self.model = model
    self.fabric = fabric
    self.chunk = chunk
  }

  /// Traces prompts, each with `greedy` tokens of continuation.
  ///
  /// - Parameter together: all in the same batches, instead of one after the other; no bit changes.
  public func trace(prompts: [[Int]], greedy: Int, together: Bool) throws -> [Trace] {
    let traces = prompts.enumerated().map { Trace($0, prompt: $1, model: model, greedy: greedy) }
    for group in together ? [traces] : traces.map({ [$0] }) {
      while try step(group) {}
    }
    return traces
  }

  /// One batch with whatever is left of a group; false when nothing is.
  private func step(_ group: [Trace]) throws -> Bool {
    var batch = Batch()
    var members: [(trace: Trace, rows: Range<Int>)] = []
    var room = model.workspace.maxAbsorbedRows
    for trace in group where trace.wantsMore && !trace.isPrefilling && room > 0 {
      members.append((trace, batch.append(trace.segment(1), tokens: trace.pending(1))))
      room -= 1
    }
    room = chunk
    for trace in group where trace.isPrefilling && room > 0 {
      let count = min(room, trace.prompt.count - trace.processed)
      members.append((trace, batch.append(trace.segment(count), tokens: trace.pending(count))))
      room -= count
    }
    guard batch.rows > 0 else { return false }
    let recorder = Recorder(members: members)
    model.observer = recorder
    defer { model.observer = nil }
    let hidden = try model.forward(batch, of: members.map(\.trace.number), kind: "prompt", fabric: fabric)
    let slice = model.workspace.maxLogits
    for (trace, rows) in members {
      recorder.current = trace
      for first in stride(from: rows.lowerBound, to: rows.upperBound, by: slice) {
        let logits = try model.logits(
          of: Array(first..<min(first + slice, rows.upperBound)), in: hidden, fabric: fabric)
        for row in 0..<logits.count { trace.append(logits: logits[row]) }
      }
    }
    return true
  }
}

/// What one sequence gave.
public final class Trace {
  /// Of its prompt, from 0.
  let number: Int
  public let prompt: [Int]
  public private(set) var greedyIDs: [Int] = []
  /// `[T, V]` of the prompt, and `[greedy, V]`: row j chose `greedyIDs[j]`.
  public private(set) var logits: [Float] = []
  public private(set) var greedyLogits: [Float] = []
  /// `[layers + 1][T, H]`: the embedding, then the output of each layer, of the prompt.
  public internal(set) var hidden: [[Float]]
  /// `[T, H]`
  public internal(set) var finalNorm: [Float] = []
  /// By layer, of the prompt.
  public internal(set) var routing: [Int: RoutingTrace] = [:]

  public struct RoutingTrace: Sendable {
    public var logits: [Float] = []
    public var experts: [Int] = []
    public var weights: [Float] = []
  }

  private let cache: LatentCache
  private let greedy: Int
  private var tokens: [Int]
  var processed = 0

  init(_ number: Int, prompt: [Int], model: Model, greedy: Int) {
    self.number = number
    self.prompt = prompt
    self.greedy = greedy
    tokens = prompt
    cache = model.makeCache(capacity: prompt.count + greedy)
    hidden = Array(repeating: [], count: model.configuration.layers + 1)
  }

  var isPrefilling: Bool { processed < prompt.count }
  /// Whether something is left to run: the last greedy token need not be.
  var wantsMore: Bool { isPrefilling || greedyIDs.count < greedy }

  func segment(_ count: Int) -> Segment {
    Segment(cache: cache, firstPosition: processed, count: count, form: isPrefilling ? .expanded : .absorbed)
  }

  func pending(_ count: Int) -> ArraySlice<Int> { tokens[processed..<processed + count] }

  /// Takes the logits of the next position, `[V]`.
  func append(logits row: UnsafeMutableBufferPointer<Float>) {
    if isPrefilling { logits.append(contentsOf: row) }
    processed += 1
    guard processed >= prompt.count && greedyIDs.count < greedy else { return }
    greedyLogits.append(contentsOf: row)
    greedyIDs.append(Sampler.best(UnsafeBufferPointer(row)))
    tokens.append(greedyIDs[greedyIDs.count - 1])
  }
}

/// Copies what passes into the traces whose rows they are; prompts only.
private final class Recorder: ForwardObserver {
  private let members: [(trace: Trace, rows: Range<Int>)]
  /// Whose logits are being computed.
  var current: Trace?

  init(members: [(trace: Trace, rows: Range<Int>)]) { self.members = members }

  func embedded(_ hidden: ActivationRows) { keep(hidden, at: 0) }
  func layerDone(_ layer: Int, hidden: ActivationRows) { keep(hidden, at: layer + 1) }

  private func keep(_ hidden: ActivationRows, at index: Int) {
    for (trace, rows) in members where trace.isPrefilling {
      for row in rows { trace.hidden[index].append(contentsOf: hidden[row]) }
    }
  }

  func routed(_ layer: Int, _ routing: Routing) {
    let experts = routing.tokens == 0 ? 0 : routing.logits.count / routing.tokens
    for (trace, rows) in members where trace.isPrefilling {
      for row in rows {
        let slots = routing.slots(of: row)
        trace.routing[layer, default: .init()].experts.append(contentsOf: routing.experts[slots].map(Int.init))
        trace.routing[layer, default: .init()].weights.append(contentsOf: routing.weights[slots])
        trace.routing[layer, default: .init()].logits.append(
          contentsOf: routing.logits[row * experts..<(row + 1) * experts])
      }
    }
  }

  func normed(_ rows: ActivationRows) {
    guard let current, current.isPrefilling else { return }
    for row in 0..<rows.count { current.finalNorm.append(contentsOf: rows[row]) }
  }
}

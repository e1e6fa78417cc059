import Checkpoint
import Crypto
import Foundation

/// Writes traces as safetensors, under the names that reference files use (`p0.logits`, `p0.hidden.3`, …).
public enum TraceFile {
  public static func write(_ traces: [Trace], _ configuration: ModelConfiguration, to file: URL) throws {
    let tensors = traces.enumerated().flatMap { Self.tensors($1, name: "p\($0)", configuration) }
    let writer = try SafetensorsWriter(file, tensors: tensors.map(\.declaration))
    for tensor in tensors { try tensor.bytes.withUnsafeBytes { try writer.append($0) } }
    try writer.finish()
  }

  /// SHA-256 over the bits of all logits, prompts and continuations, in order, f32 little endian.
  public static func hash(_ traces: [Trace]) -> String {
    var hash = SHA256()
    for trace in traces {
      trace.logits.withUnsafeBytes { hash.update(bufferPointer: $0) }
      trace.greedyLogits.withUnsafeBytes { hash.update(bufferPointer: $0) }
    }
    return "\(Digest(hash.finalize()))"
  }

  private struct Tensor {
    let declaration: SafetensorsWriter.Declaration
    let bytes: Data

    init(_ name: String, _ shape: [Int], floats: [Float]) {
      declaration = .init(name, .f32, shape)
      bytes = floats.withUnsafeBytes { Data($0) }
    }

    init(_ name: String, _ shape: [Int], integers: [Int]) {
      declaration = .init(name, .i64, shape)
      bytes = integers.map { Int64($0) }.withUnsafeBytes { Data($0) }
    }
  }

  private static func tensors(_ trace: Trace, name: String, _ c: ModelConfiguration) -> [Tensor] {
    let count = trace.prompt.count
    var tensors = [
      Tensor("\(name).input_ids", [count], integers: trace.prompt),
      Tensor("\(name).logits", [count, c.vocabularySize], floats: trace.logits),
      Tensor("\(name).final_norm", [count, c.hidden], floats: trace.finalNorm),
      Tensor(
        "\(name).next_logprobs", [count - 1],
        floats: logProbabilities(
          trace.logits, of: Array(trace.prompt.dropFirst()), vocabulary: c.vocabularySize)),
    ]
    for (layer, values) in trace.hidden.enumerated() {
      tensors.append(Tensor("\(name).hidden.\(layer)", [count, c.hidden], floats: values))
    }
    for (layer, routing) in trace.routing.sorted(by: { $0.key < $1.key }) {
      let prefix = "\(name).layer\(layer)"
      tensors += [
        Tensor("\(prefix).router_logits", [count, c.routedExperts], floats: routing.logits),
        Tensor("\(prefix).expert_ids", [count, c.expertsPerToken], integers: routing.experts),
        Tensor("\(prefix).expert_weights", [count, c.expertsPerToken], floats: routing.weights),
      ]
    }
    guard !trace.greedyIDs.isEmpty else { return tensors }
    let greedy = trace.greedyIDs.count
    return tensors + [
      Tensor("\(name).greedy_ids", [greedy], integers: trace.greedyIDs),
      Tensor("\(name).greedy_logits", [greedy, c.vocabularySize], floats: trace.greedyLogits),
      Tensor(
        "\(name).greedy_logprobs", [greedy],
        floats: logProbabilities(
          trace.greedyLogits, of: trace.greedyIDs, vocabulary: c.vocabularySize)),
    ]
  }

  /// ln p of `ids[j]` under row j of logits, in f64.
  private static func logProbabilities(_ logits: [Float], of ids: [Int], vocabulary: Int) -> [Float] {
    ids.enumerated().map { row, id in
      let values = logits[row * vocabulary..<(row + 1) * vocabulary]
      let maximum = Double(values.max() ?? 0)
      let sum = values.reduce(0.0) { $0 + exp(Double($1) - maximum) }
      return Float(Double(values[values.startIndex + id]) - maximum - log(sum))
    }
  }
}

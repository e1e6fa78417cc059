import Checkpoint
import DeepSeek
import ExpertParallel

extension Quantization {
  /// What `auto` costs for FP8 weights, which have no run format of their own; nil where that is not so.
  ///
  /// - Parameter formats: what `auto` has become.
  func note(_ configuration: ModelConfiguration, _ formats: WeightFormats) -> String? {
    guard text.lowercased() == "auto", configuration.quantizationBlock != nil, formats == WeightFormats(.f32) else {
      return nil
    }
    return "FP8 weights run as f32, 4 bytes each; --quant q4_K (or bf16) takes less"
  }
}

extension Placement {
  /// How many ranks have no part in the run; nil where all have one.
  var idleNote: String? {
    let idle = (0..<ranks).count { roles(of: $0).isEmpty }
    guard idle > 0 else { return nil }
    let verb = idle == 1 ? "has" : "have"
    return "\(idle) of \(ranks) ranks \(verb) no experts and nothing to do: a layer has \(experts) experts"
  }
}

/// Which element types an export writes, under the names that people know from llama.cpp.
public enum GGUFMix: String, Sendable, CaseIterable {
  case f32 = "F32"
  case f16 = "F16"
  case bf16 = "BF16"
  case q8_0 = "Q8_0"
  case q6_K = "Q6_K"
  /// Q4_K, the head Q6_K.
  case q4_K = "Q4_K"
  /// llama.cpp's mix: Q4_K; the head, and the down projections of some layers, Q6_K.
  case q4_K_M = "Q4_K_M"

  /// In any case: "q4_k_m".
  public init?(name: String) {
    guard let mix = GGUFMix.allCases.first(where: { $0.rawValue == name.uppercased() }) else { return nil }
    self = mix
  }

  /// llama.cpp's number for such files (`general.file_type`); Q4_K goes under that of Q4_K_S.
  var fileType: UInt32 {
    switch self {
    case .f32: 0
    case .f16: 1
    case .bf16: 32
    case .q8_0: 7
    case .q6_K: 18
    case .q4_K: 14
    case .q4_K_M: 15
    }
  }

  /// What a tensor should be, whatever its rows' length.
  func wanted(_ tensor: GGUFLayout.Tensor, _ model: ModelConfiguration) -> GGMLType {
    if tensor.isPrecise { return .f32 }
    let isHead = tensor.part == .head || (tensor.part == .embedding && model.tiesEmbeddings)
    switch self {
    case .f32: return .f32
    case .f16: return .f16
    case .bf16: return .bf16
    case .q8_0: return .q8_0
    case .q6_K: return .q6_K
    case .q4_K: return isHead ? .q6_K : .q4_K
    case .q4_K_M:
      let isDown = tensor.name.contains(".ffn_down")
      let getsMoreBits = tensor.layer.map { GGUFMix.getsMoreBits(layer: $0, of: model.layers) } ?? false
      return isHead || (isDown && getsMoreBits) ? .q6_K : .q4_K
    }
  }

  /// llama.cpp's choice: the first and the last eighth of the layers, and every third of the others.
  public static func getsMoreBits(layer: Int, of layers: Int) -> Bool {
    layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2
  }

  /// The type that is written. Rows that blocks of 256 do not divide take blocks of 32 of about the same size (Q4_1
  /// for Q4_K, Q8_0 for Q6_K); rows that those do not divide either become F16.
  func type(_ tensor: GGUFLayout.Tensor, _ model: ModelConfiguration) -> GGMLType {
    let wanted = wanted(tensor, model)
    guard tensor.dimensions[0] % wanted.blockElements != 0 else { return wanted }
    let smaller: GGMLType = wanted == .q4_K ? .q4_1 : .q8_0
    return tensor.dimensions[0] % smaller.blockElements == 0 ? smaller : .f16
  }
}

import Checkpoint
import Testing

@Suite("Names of formats in other programs")
struct PrecisionNameTests {
  @Test(
    "What they ask for, in any case",
    arguments: [
      (.bits6, ["Q5_K_M", "q5_k_s", "Q5_K", "Q5_0", "Q5_1", "q5", "UD-Q5_K_XL"]),
      (.bits4, ["Q3_K_L", "q3_k", "Q2_K", "IQ4_XS", "iq4_nl", "Q4_0", "int4", "4bit", "4-bit", "UD-Q4_K_XL"]),
      (.bits8, ["int8", "Q8_K", "8bit"]), (.f16, ["fp16", "float16", "F16", "half"]), (.bf16, ["bfloat16"]),
      (.f32, ["float32", "FP32"]), (.fp8, ["f8_e4m3", "float8", "float8_e4m3fn", "FP8"]),
    ] as [(PrecisionName, [String])])
  func meant(_ precision: PrecisionName, _ names: [String]) {
    for name in names { #expect(PrecisionName(name) == precision, "\(name)") }
  }

  @Test("Others ask for nothing", arguments: ["", "q", "q4", "q4k", "auto", "head", "ud-", "16"])
  func others(_ name: String) { #expect(PrecisionName(name) == nil) }
}

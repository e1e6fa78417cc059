import Inference

/// What the program reaches of what `flotilla calibrate` finds, and what messages cost besides the wire: the only
/// constants of a prediction that do not come from model or cluster.
///
/// Every figure is from Documentation/Benchmarking.md ("Speed", "How close to the limit") unless it says otherwise: the
/// two-core Zen 3 machine, peaks of 163 billion int8 multiply-adds a second and core.
public struct Efficiency: Sendable, Equatable, Codable {
  /// Of the memory bandwidth, in products of few rows. Measured: 0.73 (one thread), 0.58 (two threads of one machine),
  /// 0.75 (two ranks with AVX-512), 0.87 (two threads there).
  public var memory = 0.70
  /// Of the int8 peak, by rows of input: one, two, three, four or more. Measured: 33.8 billion of 163 (one row, one
  /// thread); 16 sequences, whose experts get two rows on average; a prompt of 512 as a whole, 160 to 172 of 326.
  public var blockProducts = [0.21, 0.33, 0.42, 0.52]
  /// Of that, with codes of 6 and 8 bits and AVX2, which multiplies bytes of different signs only: 95 tokens/s of a prompt
  /// in q8_0 where q4_K had 215, in one run of Scripts/validate-plan. Instruction sets with VNNI have one product for both.
  static let wideProductsWithAVX2 = 0.42
  /// Of reading and of computing, the part of the shorter one that the longer one does not hide: in products from their
  /// second row on, where that was not calibrated, and in attention over the cache with any rows, where it is assumed on
  /// every node. Measured for products: 60 ps for a byte in q4_K with four rows and two threads, where reading takes 48 and computing 42.
  static let overlapLoss = 0.3
  /// Of the f32 peak, in products with f32, bf16 or fp8 weights and in gates. Assumed: 20 to 41 of 100 were seen with
  /// AVX-512.
  public var floatProducts = 0.40
  /// Of the f32 peak, in attention's own products. The kernel alone has 0.75 with AVX2.
  public var attention = 0.60
  /// Of the top-k, for one score of one token; one thread. Measured on the two cores of Zen 5, 64 experts of which 8 run:
  /// 20, as what the router's gates took (8.6 ms for 512 tokens in 7 layers) less their products.
  public var secondsPerScore = 20e-9
  /// To wake the threads for a product and to wait for the last one. Assumed.
  public var secondsPerJob = 3e-6
  /// Along rows, one thread. Measured by `flotilla calibrate` on the two-core machine with AVX-512.
  public var elementwise: [Calibration.ElementwiseCost] = [
    .init(step: .norm, secondsPerNumber: 0.15e-9, secondsPerRow: 3e-9),
    .init(step: .encode, secondsPerNumber: 0.5e-9, secondsPerRow: 0),
    .init(step: .add, secondsPerNumber: 0.1e-9, secondsPerRow: 0),
    .init(step: .activate, secondsPerNumber: 0.55e-9, secondsPerRow: 9e-9),
  ]
  /// What a rank takes to notice a message, to check it and to write one. Assumed.
  public var secondsPerMessage = 5e-6
  /// Between ranks of a node: 1.9 us for 14 KB and 4.4 us for 57 KB half a round trip, measured.
  public var sharedMemoryLatency = 1.1e-6
  public var sharedMemoryBytesPerSecond = 17e9

  public init() {}

  /// Of the int8 peak with so many rows of input.
  func blockProduct(rows: Int) -> Double { blockProducts[min(max(rows, 1), blockProducts.count) - 1] }
}

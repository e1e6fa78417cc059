/// Steps along rows that mean nothing, made to see how fast they go: what a model does to its rows between products.
public final class ElementwiseTrial {
  /// What is done to the numbers of a row.
  public enum Step: String, Sendable, CaseIterable, Codable {
    case norm
    /// To q8, as products of blocks want rows.
    case encode
    /// Or to copy, to scale, to rotate.
    case add
    /// SwiGLU.
    case activate
  }

  private let columns: Int
  private let compute: Compute
  private let weight: [Float]
  /// One for each thread.
  private let scratch: [Scratch]

  /// Of all threads together: about as many as a part of a prompt has, so that they lie in the same caches.
  private static let rows = 256
  private static let leastRowsOfThread = 8

  /// - Parameter columns: numbers of a row, a multiple of 256.
  public init(columns: Int, _ compute: Compute) {
    self.columns = columns
    self.compute = compute
    weight = Array(repeating: 1, count: columns)
    let threads = compute.pool.threads
    let rows = max(Self.leastRowsOfThread, Self.rows / threads)
    scratch = (0..<threads).map { _ in Scratch(rows: rows, columns: columns) }
  }

  /// Of one call, all threads together.
  public var rows: Int { scratch.reduce(0) { $0 + $1.input.count } }

  /// `calls` of every thread, each over rows of its own.
  public func run(_ step: Step, calls: Int) {
    compute.pool.run(tiles: scratch.count) { [self] tile in
      for _ in 0..<calls { run(step, scratch[tile]) }
    }
  }

  private func run(_ step: Step, _ scratch: Scratch) {
    for row in 0..<scratch.input.count {
      let (input, output) = (scratch.input[row], scratch.output[row])
      switch step {
      case .norm:
        compute.rmsNormOnThisThread(
          scratch.input[rows: row..<row + 1], weight: weight, epsilon: 1e-6,
          into: scratch.output[rows: row..<row + 1])
      case .encode: compute.encode(input, into: scratch.encoded, row: row)
      case .add: compute.addOnThisThread(input, to: output)
      case .activate:
        compute.siluProductOnThisThread(
          gate: input.baseAddress!, up: input.baseAddress!, into: output.baseAddress!, count: columns)
      }
    }
  }

  /// The first numbers of what came out last, one for each thread.
  package var results: [Float] { scratch.map { $0.output[0][0] } }
}

extension ElementwiseTrial {
  /// What one thread works on.
  private final class Scratch: @unchecked Sendable {
    private let buffers: [ActivationBuffer]
    private let encodedBuffer: EncodedBuffer
    /// `[rows, columns]`: halves.
    let input: ActivationRows
    let output: ActivationRows
    let encoded: EncodedRows

    init(rows: Int, columns: Int) {
      buffers = (0..<2).map { _ in ActivationBuffer(capacity: rows, columns: columns) }
      encodedBuffer = EncodedBuffer(capacity: rows, columns: columns)
      (input, output) = (buffers[0].rows(rows), buffers[1].rows(rows))
      encoded = encodedBuffer.rows(rows)
      for row in 0..<rows {
        input[row].update(repeating: 0.5)
        output[row].update(repeating: 0)
      }
    }
  }
}

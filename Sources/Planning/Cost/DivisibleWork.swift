import Inference
import Kernels

/// Products of the dense part whose output rows ranks may divide, and what then goes to and fro for each token.
public struct DivisibleWork: Sendable, Equatable {
  public var work = Work()
  /// Questions, each with an answer from every rank.
  public var questions = 0.0
  /// Bytes of a token's inputs, to each rank.
  public var inputBytes = 0.0
  /// Bytes of a token's outputs, from all ranks together.
  public var outputBytes = 0.0

  /// Matrices that read the same input are one question together, and what comes back is as long as one's output.
  mutating func add(_ matrix: HeldMatrix) {
    let part = 1 / Double(matrix.readersOfInput)
    work += Work(matrix)
    questions += part
    inputBytes += part * Double(matrix.format.encoding.rowBytes(columns: matrix.columns))
    outputBytes += part * Double(matrix.count * matrix.rows * MemoryLayout<Float>.stride)
  }

  static func * (divisible: DivisibleWork, factor: Double) -> DivisibleWork {
    var result = divisible
    result.work = divisible.work * factor
    result.questions *= factor
    result.inputBytes *= factor
    result.outputBytes *= factor
    return result
  }
}

import Kernels

/// Running maximum and sum of every (row, head) while blocks of positions are merged in ascending order.
struct SoftmaxState {
  private let maxima: ActivationRows
  private let sums: ActivationRows

  /// Takes `[rows, heads]` of the workspace.
  init(workspace: Workspace, rows: Int, heads: Int) {
    maxima = workspace.softmaxMaxima.rows(rows)[columns: 0..<heads]
    sums = workspace.softmaxSums.rows(rows)[columns: 0..<heads]
  }

  func maximum(_ row: Int, _ head: Int) -> UnsafeMutablePointer<Float> { maxima[row].baseAddress! + head }
  func sum(_ row: Int, _ head: Int) -> UnsafeMutablePointer<Float> { sums[row].baseAddress! + head }

  /// The state of one head and the rows from `row` on, as the kernels take it.
  func rows(from row: Int, head: Int, output: UnsafeMutablePointer<Float>, outputStride: Int) -> SoftmaxRows {
    SoftmaxRows(
      maximum: maximum(row, head), sum: sum(row, head), stride: maxima.stride, output: output,
      outputStride: outputStride)
  }
}

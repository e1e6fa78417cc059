/// `kv_b_proj` out of the two tensors into which GGUF files split it: per head the keys' rows, which are the columns
/// of `keys`, then the values' rows.
struct HeadRows: Sendable {
  /// `[heads * latentRank, nopeDimension]`
  let keys: TensorSource
  /// `[heads * valueDimension, latentRank]`
  let values: TensorSource
  let heads: Int

  private var nope: Int { keys.columns }
  private var latent: Int { values.columns }
  private var valueRows: Int { values.rows / heads }

  init(keys: TensorSource, values: TensorSource, heads: Int) {
    precondition(keys.rows == heads * values.columns && values.rows % heads == 0)
    (self.keys, self.values, self.heads) = (keys, values, heads)
  }

  /// Rows of the official matrix, `[heads * (nopeDimension + valueDimension), latentRank]`.
  func readRows(_ range: Range<Int>, into out: UnsafeMutablePointer<Float>, stride: Int) {
    let perHead = nope + valueRows
    var row = range.lowerBound
    while row < range.upperBound {
      let (head, inner) = row.quotientAndRemainder(dividingBy: perHead)
      let target = out + (row - range.lowerBound) * stride
      if inner < nope {
        let end = min(nope, inner + range.upperBound - row)
        readKeys(head, inner..<end, into: target, stride: stride)
        row += end - inner
      } else {
        let end = min(perHead, inner + range.upperBound - row)
        let first = head * valueRows + inner - nope
        values.readRows(first..<first + end - inner, into: target, stride: stride)
        row += end - inner
      }
    }
  }

  /// Some columns of a head's part of `keys`, as rows.
  private func readKeys(
    _ head: Int, _ columns: Range<Int>, into out: UnsafeMutablePointer<Float>, stride: Int
  ) {
    withUnsafeTemporaryAllocation(of: Float.self, capacity: nope) { scratch in
      let row = scratch.baseAddress!
      for index in 0..<latent {
        let source = head * latent + index
        keys.readRows(source..<source + 1, into: row, stride: nope)
        for (target, column) in columns.enumerated() { out[target * stride + index] = row[column] }
      }
    }
  }
}

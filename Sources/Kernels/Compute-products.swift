import CKernels

extension Compute {
  /// `output = input x weightsᵀ`: `[tokens, columns] x [rows, columns]ᵀ -> [tokens, rows]`, f32.
  ///
  /// Each output is one chain over columns (or blocks of columns) in ascending order, so neither the number of
  /// tokens nor of threads changes a bit.
  ///
  /// - Parameter rows: of the weights, the ones to compute: whole panels; nil: all.
  public func multiply(
    _ input: ProductInput, _ weights: PackedMatrix, rows: Range<Int>? = nil, into output: ActivationRows
  ) {
    let tiles = tiles(input, weights, rows: rows, into: output)
    pool.run(tiles: tiles.count) { product(tiles, $0) }
  }

  /// The same for two matrices over the same rows, as one job.
  public func multiply(
    _ input: ProductInput, _ weights: PackedMatrix, into output: ActivationRows, and other: PackedMatrix,
    into otherOutput: ActivationRows
  ) {
    let tiles = tiles(input, weights, into: output)
    let others = self.tiles(input, other, into: otherOutput)
    pool.run(tiles: tiles.count + others.count) { index in
      if index < tiles.count { product(tiles, index) } else { product(others, index - tiles.count) }
    }
  }

  /// The same for f32 rows, which are encoded first where the weights want that.
  public func multiply(_ input: ActivationRows, _ weights: PackedMatrix, into output: ActivationRows) {
    multiply(encode(input, for: weights), weights, into: output)
  }

  /// The same for matrices that each have their own rows; one job for all, a tile per matrix. f32 rows are encoded
  /// in the tile where the weights want that.
  public func multiplyEach(_ products: Int, _ operands: (Int) -> MatrixProduct) {
    var most = (rows: 0, columns: 0)
    for index in 0..<products {
      let product = operands(index)
      count(product.weights.view, rows: product.input.count)
      guard product.input.encoding != product.weights.format.encoding else { continue }
      most = (max(most.rows, product.input.count), max(most.columns, product.input.columns))
    }
    reserveEncodingPerWorker(rows: most.rows, columns: most.columns)
    pool.run(tiles: products) { index, worker in
      let each = operands(index)
      var input = each.input
      if case .f32(let rows) = input, each.weights.format.encoding == .q8 {
        let room = encodedByWorker[worker].rows(rows.count, columns: rows.columns)
        for row in 0..<rows.count { encode(rows[row], into: room, row: row) }
        input = .q8(room)
      }
      product(
        each.weights.view, panels: 0..<each.weights.panels, input: input, output: each.output.base,
        stride: each.output.stride)
    }
  }

  /// A product cut into tiles, and counted.
  private func tiles(
    _ input: ProductInput, _ weights: PackedMatrix, rows: Range<Int>? = nil, into output: ActivationRows
  ) -> ProductTiles {
    precondition(input.columns == weights.columns, "\(input.columns) inputs, \(weights.columns) columns")
    precondition(output.columns == weights.rows && output.count == input.count)
    let panels = weights.panels(of: rows ?? 0..<weights.rows)
    count(weights.view, panels: panels.count, rows: input.count)
    return ProductTiles(
      weights: weights.view, input: input, output: output, panels: panels,
      panelsPerTile: panels.isEmpty ? 1 : panelsPerTile(panels.count, of: weights, tokens: input.count))
  }

  private func product(_ tiles: ProductTiles, _ index: Int) {
    let panels = tiles[index]
    product(
      tiles.weights, panels: panels, input: tiles.input,
      output: tiles.output.base + panels.lowerBound * PackedMatrix.panelRows, stride: tiles.output.stride)
  }

  /// Some panels of a product, on the calling thread. `output` is where the first panel's outputs go, `stride` floats
  /// from token to token.
  public func product(
    _ weights: PackedPanels, panels: Range<Int>, input: ProductInput, output: UnsafeMutablePointer<Float>, stride: Int
  ) {
    precondition(panels.lowerBound >= 0 && panels.upperBound <= weights.count && input.columns == weights.columns)
    let firstRow = panels.lowerBound * PackedMatrix.panelRows
    let outputs = Int64(min(panels.upperBound * PackedMatrix.panelRows, weights.rows) - firstRow)
    let (columns, tokens) = (Int64(weights.columns), Int64(input.count))
    switch (weights.format, input) {
    case (.f32, .f32(let rows)), (.bf16, .f32(let rows)), (.fp8, .f32(let rows)):
      var job = fk_product(
        panels: weights.panel(panels.lowerBound), columns: columns, outputs: outputs, input: rows.base,
        input_stride: Int64(rows.stride), output: output, output_stride: Int64(stride), tokens: tokens)
      kernels.multiply(weights.format, &job)
    case (_, .q8(let rows)):
      var job = fk_block_product(
        panels: weights.panel(panels.lowerBound), columns: columns, outputs: outputs, input: rows.base,
        input_stride: Int64(rows.stride), output: output, output_stride: Int64(stride), tokens: tokens)
      kernels.multiply(weights.format, &job)
    default: preconditionFailure("\(weights.format) weights with \(input.encoding) rows")
    }
  }

  /// A product of fewer is one thread's: microseconds.
  public static let multiplyAddsPerTile = 65_536
  /// Of a tile of several panels: a tenth of a millisecond of one thread. Messages are looked at between tiles.
  private static let mostMultiplyAddsPerTile = 16_000_000

  /// Tiles of some 65,000 multiply-adds or more, four for each thread when there is enough work, and more where these would
  /// take longer than messages may wait. Kernels of f32 rows take eight panels at once; where that would leave threads
  /// idle, fewer.
  private func panelsPerTile(_ panels: Int, of weights: PackedMatrix, tokens: Int) -> Int {
    let panelWork = max(1, weights.columns * PackedMatrix.panelRows * tokens)
    if pool.threads == 1 { return max(1, min(panels, 2_000_000 / panelWork)) }
    let smallest = max(1, Self.multiplyAddsPerTile / panelWork)
    let fair = max(1, min(panels / (pool.threads * 4), Self.mostMultiplyAddsPerTile / panelWork))
    let atOnce = weights.format.encoding == .q8 ? 1 : min(8, (panels + pool.threads - 1) / pool.threads)
    return max(smallest, (fair + atOnce - 1) / atOnce * atOnce)
  }
}

/// Some panels of a product, a few to a tile.
private struct ProductTiles {
  let weights: PackedPanels
  let input: ProductInput
  let output: ActivationRows
  let panels: Range<Int>
  let panelsPerTile: Int

  var count: Int { (panels.count + panelsPerTile - 1) / panelsPerTile }

  /// The panels of a tile.
  subscript(index: Int) -> Range<Int> {
    let first = panels.lowerBound + index * panelsPerTile
    return first..<min(first + panelsPerTile, panels.upperBound)
  }
}

/// One matrix and the rows it is applied to: `output = input x weightsᵀ`.
public struct MatrixProduct {
  public let weights: PackedMatrix
  /// f32, or as the weights want them.
  public let input: ProductInput
  public let output: ActivationRows

  public init(weights: PackedMatrix, input: ActivationRows, output: ActivationRows) {
    self.init(weights: weights, input: .f32(input), output: output)
  }

  public init(weights: PackedMatrix, input: ProductInput, output: ActivationRows) {
    precondition(input.columns == weights.columns && output.columns == weights.rows)
    precondition(input.count == output.count)
    self.weights = weights
    self.input = input
    self.output = output
  }
}

extension KernelTable {
  func multiply(_ format: WeightFormat, _ job: inout fk_block_product) {
    switch format {
    case .q8_0: functions.product_blocks.0!(&job)
    case .q4_1: functions.product_blocks.1!(&job)
    case .q4_K: functions.product_blocks.2!(&job)
    case .q6_K: functions.product_blocks.3!(&job)
    case .f32, .bf16, .fp8: preconditionFailure("\(format) is no block format")
    }
  }

  func multiply(_ format: WeightFormat, _ job: inout fk_product) {
    switch format {
    case .f32: functions.product_f32(&job)
    case .bf16: functions.product_bf16(&job)
    case .fp8: functions.product_fp8(&job)
    case .q8_0, .q4_1, .q4_K, .q6_K: preconditionFailure("\(format) takes q8 rows")
    }
  }
}

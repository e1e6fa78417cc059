/// A matrix of a checkpoint, `[rows, columns]`, in mapped memory: a view, converted on reading.
///
/// It keeps its file mapped. Rows may be read from several threads at a time.
public struct TensorSource: Sendable {
  public let name: String
  public let rows: Int
  public let columns: Int
  /// Of the elements; where rows come from two tensors, of the first.
  public let type: ElementType
  let layout: Layout

  /// Where the rows are.
  enum Layout: Sendable {
    /// One after another.
    case rows(MappedRange)
    /// FP8 codes with their scales.
    case scaled(MappedRange, ScaleGrid)
    /// Per head rows of a tensor whose rows are this matrix' columns, then rows of another.
    indirect case heads(HeadRows)
  }

  init(name: String, rows: Int, columns: Int, type: ElementType, layout: Layout) {
    self.name = name
    self.rows = rows
    self.columns = columns
    self.type = type
    self.layout = layout
  }

  /// A part of a mapped file.
  struct MappedRange: @unchecked Sendable {
    let map: MappedFile
    let range: Range<Int>

    var base: UnsafeRawPointer { map.bytes.baseAddress! + range.lowerBound }
  }

  /// FP8 scales, one f32 for each block, `[ceil(rows / block.rows), ceil(columns / block.columns)]`.
  struct ScaleGrid: Sendable {
    let data: MappedRange
    let columns: Int
    let block: ModelConfiguration.BlockSize

    func scale(row: Int, blockColumn: Int) -> Float {
      data.base.loadUnaligned(
        fromByteOffset: (row / block.rows * columns + blockColumn) * 4, as: Float.self)
    }
  }

  /// Bytes of a row as stored, without scales.
  public var rowBytes: Int { type.rowBytes(columns) }

  /// Converts rows to f32, `[range.count, columns]`, `stride` floats from row to row.
  ///
  /// FP8: value times `weight_scale_inv` of its block (DeepSeek-V3 report, 3.3.2). Blocks: as ggml has them.
  public func readRows(_ range: Range<Int>, into out: UnsafeMutablePointer<Float>, stride: Int) {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows \(range) of \(rows) in \(name)")
    precondition(stride >= columns, "stride \(stride) of \(columns) columns in \(name)")
    guard columns > 0, !range.isEmpty else { return }
    switch layout {
    case .rows(let data):
      for (index, row) in range.enumerated() {
        let converted = ElementConversion.convert(
          data.base + row * rowBytes, type, count: columns, into: out + index * stride)
        precondition(converted, "\(name) was checked to hold floating-point numbers")
      }
    case .scaled(let data, let scales):
      for (index, row) in range.enumerated() {
        readScaled(data.base + row * rowBytes, row: row, scales: scales, into: out + index * stride)
      }
    case .heads(let heads): heads.readRows(range, into: out, stride: stride)
    }
  }

  private func readScaled(
    _ source: UnsafeRawPointer, row: Int, scales: ScaleGrid, into target: UnsafeMutablePointer<Float>
  ) {
    let width = scales.block.columns
    for (block, column) in Swift.stride(from: 0, to: columns, by: width).enumerated() {
      ElementConversion.scale(
        source + column, by: scales.scale(row: row, blockColumn: block),
        count: min(width, columns - column), into: target + column)
    }
  }

  /// Whether the rows lie one after another, so that ``rawRows(_:)`` can show them.
  public var isContiguous: Bool { if case .heads = layout { false } else { true } }

  /// Rows as stored, at any alignment; valid as long as the checkpoint is open. Blocks of GGUF files can be packed
  /// from here without quantising anew.
  public func rawRows(_ range: Range<Int>) -> UnsafeRawBufferPointer {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows \(range) of \(rows) in \(name)")
    guard !range.isEmpty, rowBytes > 0 else { return UnsafeRawBufferPointer(start: nil, count: 0) }
    switch layout {
    case .rows(let data), .scaled(let data, _):
      return UnsafeRawBufferPointer(start: data.base + range.lowerBound * rowBytes, count: range.count * rowBytes)
    case .heads: preconditionFailure("\(name) does not lie in one piece")
    }
  }

  /// Asks the system to read rows from the file while others are converted.
  public func fetchAhead(_ range: Range<Int>) {
    guard case .rows(let data) = layout, !range.isEmpty else { return }
    precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows \(range) of \(rows) in \(name)")
    let start = data.range.lowerBound + range.lowerBound * rowBytes
    data.map.fetchAhead(start..<start + range.count * rowBytes)
  }

  /// FP8 codes and what they are multiplied by; nil where the tensor is something else.
  public var scaledCodes: ScaledCodes? {
    guard case .scaled(let codes, let scales) = layout else { return nil }
    return ScaledCodes(columns: columns, codes: codes, scales: scales)
  }

  /// Some rows as a matrix of their own; nil where they do not begin with a block of scales or lie in several pieces.
  public func slice(_ range: Range<Int>) -> TensorSource? {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows \(range) of \(rows) in \(name)")
    func part(_ data: MappedRange) -> MappedRange {
      let start = data.range.lowerBound
      return MappedRange(
        map: data.map, range: start + range.lowerBound * rowBytes..<start + range.upperBound * rowBytes)
    }
    let sliced: Layout
    switch layout {
    case .rows(let data): sliced = .rows(part(data))
    case .scaled(let data, let grid):
      guard range.lowerBound % grid.block.rows == 0 else { return nil }
      let skipped = range.lowerBound / grid.block.rows * grid.columns * 4
      let rest = grid.data.range.lowerBound + skipped..<grid.data.range.upperBound
      sliced = .scaled(
        part(data),
        ScaleGrid(data: MappedRange(map: grid.data.map, range: rest), columns: grid.columns, block: grid.block))
    case .heads: return nil
    }
    return TensorSource(name: name, rows: range.count, columns: columns, type: type, layout: sliced)
  }

  /// Rows that a slice of this matrix begins at: a multiple of this. 0: it has no slices.
  public var sliceRows: Int {
    switch layout {
    case .rows: 1
    case .scaled(_, let grid): grid.block.rows
    case .heads: 0
    }
  }

  /// Gives the memory of the mapped pages back once their contents are packed elsewhere.
  public func release() {
    switch layout {
    case .rows(let data), .scaled(let data, _): data.map.release(data.range)
    case .heads(let heads): for part in [heads.keys, heads.values] { part.release() }
    }
  }
}

import CKernels

/// A weight matrix, `[rows, columns]`, in panels of 16 interleaved rows: what the kernels read. Codes and scales of
/// a block format lie together; a panel is one piece of memory.
///
/// Vector lanes are output rows, so every output keeps its own sum and its own order.
public final class PackedMatrix: @unchecked Sendable {
  public static let panelRows = Int(FK_PANEL_ROWS)

  public let rows: Int
  public let columns: Int
  public let format: WeightFormat
  private let storage: WeightMemory.Piece

  /// Number of panels; the last is filled up with zero rows.
  public var panels: Int { (rows + Self.panelRows - 1) / Self.panelRows }
  public var bytes: Int { panels * panelBytes }
  let panelBytes: Int

  /// - Parameter pack: writes the panel that starts at an address from some rows; called from several threads.
  private init(
    packing format: WeightFormat, rows: Int, columns: Int, compute: Compute,
    pack: (Range<Int>, UnsafeMutableRawPointer) -> Void
  ) {
    precondition(rows > 0 && columns > 0)
    self.rows = rows
    self.columns = columns
    self.format = format
    panelBytes = format.panelBytes(columns: columns)
    let panels = (rows + Self.panelRows - 1) / Self.panelRows
    storage = compute.weightMemory.allocate(panels * panelBytes)
    let (base, panelBytes) = (storage.base, panelBytes)
    compute.pool.run(tiles: panels) { index in
      let first = index * Self.panelRows
      pack(first..<min(first + Self.panelRows, rows), base + index * panelBytes)
    }
  }

  /// Packs a matrix from f32 rows; block formats are quantised here, row by row.
  ///
  /// - Parameters:
  ///   - format: one that fits the columns, see ``WeightFormat/fitting(columns:)``, and not fp8.
  ///   - readRows: writes the given rows, `[range.count, columns]` f32 without gaps. Called from several threads.
  public convenience init(
    rows: Int, columns: Int, format: WeightFormat, compute: Compute,
    readRows: (Range<Int>, UnsafeMutablePointer<Float>) -> Void
  ) {
    precondition(format == format.fitting(columns: columns), "\(format) with \(columns) columns")
    precondition(format != .fp8, "fp8 takes codes as they are")
    let packer = PanelPacker(columns: columns, format: format, kernels: compute.kernels)
    self.init(packing: format, rows: rows, columns: columns, compute: compute) { range, panel in
      packer.pack(range.count, into: panel) { readRows(range, $0) }
    }
  }

  /// A matrix whose panels lie in memory already, as ``withPanels(_:)`` showed them. Nothing is copied or written.
  ///
  /// - Parameters:
  ///   - panels: as many bytes as ``WeightFormat/bytes(rows:columns:)`` says, aligned to ``alignment``.
  ///   - owner: kept alive; the memory must stay as long as it does.
  public init(
    rows: Int, columns: Int, format: WeightFormat, panels: UnsafeRawBufferPointer, owner: AnyObject
  ) {
    precondition(rows > 0 && columns > 0)
    precondition(format == format.fitting(columns: columns), "\(format) with \(columns) columns")
    precondition(panels.count == format.bytes(rows: rows, columns: columns), "\(panels.count) bytes of panels")
    guard let base = panels.baseAddress else { preconditionFailure("panels lie somewhere") }
    precondition(UInt(bitPattern: base) % UInt(Self.alignment) == 0, "panels are aligned")
    self.rows = rows
    self.columns = columns
    self.format = format
    panelBytes = format.panelBytes(columns: columns)
    storage = WeightMemory.Piece(base: UnsafeMutableRawPointer(mutating: base), owner: owner)
  }

  /// The same panels in huge pages, where one address to look up serves 2 MiB of weights and not 4 KiB of a file's. All
  /// threads copy, each what it will read.
  public func copied(_ compute: Compute) -> PackedMatrix {
    PackedMatrix(packing: format, rows: rows, columns: columns, compute: compute) { rows, panel in
      panel.copyMemory(from: self.panel(rows.lowerBound / Self.panelRows), byteCount: panelBytes)
    }
  }

  /// Packs a matrix of blocks as they are, without quantising anew.
  ///
  /// - Parameters:
  ///   - format: a block format; the columns are whole blocks.
  ///   - rawRows: calls its second argument with the bytes of the given rows, without gaps. Called from several
  ///     threads.
  public convenience init(
    rows: Int, columns: Int, blocks format: WeightFormat, compute: Compute,
    rawRows: (Range<Int>, (UnsafeRawBufferPointer) -> Void) -> Void
  ) {
    guard let block = format.block else { preconditionFailure("\(format) has no blocks") }
    precondition(columns > 0 && columns % block.blockSize == 0)
    let rowBytes = block.bytes(columns: columns)
    self.init(packing: format, rows: rows, columns: columns, compute: compute) { range, panel in
      rawRows(range) { source in
        precondition(source.count == range.count * rowBytes)
        compute.kernels.functions.pack_blocks(
          block.code, source.baseAddress!, Int64(rowBytes), Int64(range.count), Int64(columns / block.blockSize), panel)
      }
    }
  }

  /// Packs a matrix of E4M3 codes as they are, in the format fp8.
  ///
  /// - Parameters:
  ///   - codes: the codes of the given rows, `[range.count, columns]` without gaps. Called from several threads.
  ///   - scale: what the codes of a row are multiplied by, in the block of 128 columns with the given index.
  public convenience init(
    rows: Int, columns: Int, compute: Compute, codes: (Range<Int>) -> UnsafeRawBufferPointer,
    scale: (_ row: Int, _ block: Int) -> Float
  ) {
    let blocks = (columns + WeightFormat.fp8.blockColumns - 1) / WeightFormat.fp8.blockColumns
    self.init(packing: .fp8, rows: rows, columns: columns, compute: compute) { range, panel in
      let source = codes(range)
      precondition(source.count == range.count * columns)
      withUnsafeTemporaryAllocation(of: Float.self, capacity: range.count * blocks) { scales in
        for index in 0..<scales.count {
          scales.initializeElement(at: index, to: scale(range.lowerBound + index / blocks, index % blocks))
        }
        compute.kernels.functions.pack_fp8(
          source.assumingMemoryBound(to: UInt8.self).baseAddress!, Int64(columns), scales.baseAddress!,
          Int64(range.count), Int64(columns), panel)
      }
    }
  }

  /// Some rows, whole panels, as a matrix that shares this one's memory.
  public func slice(_ rows: Range<Int>) -> PackedMatrix {
    PackedMatrix(sharing: self, panels: panels(of: rows), rows: rows.count)
  }

  private init(sharing whole: PackedMatrix, panels: Range<Int>, rows: Int) {
    precondition(rows > 0)
    self.rows = rows
    (columns, format, panelBytes) = (whole.columns, whole.format, whole.panelBytes)
    storage = WeightMemory.Piece(base: whole.storage.base + panels.lowerBound * panelBytes, owner: whole)
  }

  /// The panels of some rows, which end where panels or the matrix do.
  func panels(of rows: Range<Int>) -> Range<Int> {
    if rows.isEmpty { return 0..<0 }
    precondition(rows.lowerBound % Self.panelRows == 0 && rows.lowerBound >= 0 && rows.upperBound <= self.rows)
    precondition(rows.upperBound % Self.panelRows == 0 || rows.upperBound == self.rows, "rows \(rows): no whole panels")
    return rows.lowerBound / Self.panelRows..<(rows.upperBound + Self.panelRows - 1) / Self.panelRows
  }

  func panel(_ index: Int) -> UnsafeRawPointer { UnsafeRawPointer(storage.base + index * panelBytes) }
}

extension PackedMatrix {
  /// Where a mapped matrix may begin: a multiple of this, in bytes.
  public static let alignment = 64

  /// Calls `body` with all panels, one after another.
  public func withPanels<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    try withExtendedLifetime(self) { try body(UnsafeRawBufferPointer(start: storage.base, count: bytes)) }
  }
}

/// Turns up to 16 f32 rows into a panel.
private struct PanelPacker {
  let columns: Int
  let format: WeightFormat
  let kernels: KernelTable

  /// - Parameter read: writes `[valid, columns]` f32 without gaps.
  func pack(_ valid: Int, into panel: UnsafeMutableRawPointer, read: (UnsafeMutablePointer<Float>) -> Void) {
    withUnsafeTemporaryAllocation(of: Float.self, capacity: valid * columns) { rows in
      let rows = rows.baseAddress!
      read(rows)
      switch format {
      case .f32:
        kernels.functions.pack_f32(
          rows, Int64(columns), Int64(valid), Int64(columns), panel.assumingMemoryBound(to: Float.self))
      case .bf16:
        kernels.functions.pack_bf16(
          rows, Int64(columns), Int64(valid), Int64(columns), panel.assumingMemoryBound(to: UInt16.self))
      case .fp8: preconditionFailure("codes are packed as they are")
      case .q8_0, .q4_1, .q4_K, .q6_K: quantize(rows, valid, format.block!, into: panel)
      }
    }
  }

  private func quantize(
    _ rows: UnsafeMutablePointer<Float>, _ valid: Int, _ block: BlockFormat, into panel: UnsafeMutableRawPointer
  ) {
    let blocks = (columns + block.blockSize - 1) / block.blockSize
    let rowBytes = blocks * block.blockBytes
    withUnsafeTemporaryAllocation(byteCount: valid * rowBytes, alignment: 64) { bytes in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: blocks * block.blockSize) { padded in
        padded.initialize(repeating: 0)
        for row in 0..<valid {
          padded.baseAddress!.update(from: rows + row * columns, count: columns)
          kernels.functions.quantize(
            block.code, padded.baseAddress!, Int64(padded.count), bytes.baseAddress! + row * rowBytes)
        }
      }
      kernels.functions.pack_blocks(block.code, bytes.baseAddress!, Int64(rowBytes), Int64(valid), Int64(blocks), panel)
    }
  }
}

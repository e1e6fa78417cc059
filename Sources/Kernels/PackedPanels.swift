/// What kernels read of a ``PackedMatrix``: numbers and an address, no reference.
///
/// For the tiles of a job. To count a reference, a processor fetches its cache line from whichever counted last, or from
/// memory: many threads that do so for each tile wait for one another. Whoever has such a view keeps the matrix alive.
public struct PackedPanels: @unchecked Sendable {
  /// Number of panels.
  public let count: Int
  public let rows: Int
  public let columns: Int
  public let format: WeightFormat
  let panelBytes: Int
  private let base: UnsafeRawPointer

  init(_ matrix: PackedMatrix) {
    (count, rows, columns, format) = (matrix.panels, matrix.rows, matrix.columns, matrix.format)
    (base, panelBytes) = (matrix.panel(0), matrix.panelBytes)
  }

  func panel(_ index: Int) -> UnsafeRawPointer { base + index * panelBytes }
}

extension PackedMatrix {
  /// For the tiles of a job, see ``PackedPanels``.
  public var view: PackedPanels { PackedPanels(self) }
}

import Kernels

/// Runs feed-forwards, each over rows of its own, in two jobs for all threads: gate and up projections with SwiGLU,
/// then down projections. A dense layer is the case of one group.
///
/// A tile of the first job is up to 256 intermediate columns of up to 32 rows: what the encoding for the down
/// projection takes as a unit, so that it happens in the tile, while the numbers are in the cache.
public final class GroupedFeedForward {
  /// One feed-forward and the rows of input and output that are its own.
  struct Group {
    let network: FeedForwardPanels
    let rows: Range<Int>
  }

  private struct Tile {
    let group: Int
    let rows: Range<Int>
    /// Intermediate columns, or panels of the down projection.
    let part: Range<Int>
  }

  public let capacity: Int
  private let compute: Compute
  private let widest: Int
  /// `[capacity, widest]`, f32 or encoded: SwiGLU's result.
  private let middle: UnsafeMutableRawPointer
  /// A tile's gate and up projections, for each worker.
  private let projections: ActivationBuffer
  private var tiles: [Tile] = []

  private static let columnsPerTile = 256
  private static let rowsPerTile = 32

  /// - Parameters:
  ///   - capacity: most rows of a call.
  ///   - widest: largest intermediate size.
  public init(capacity: Int, widest: Int, compute: Compute) {
    self.capacity = capacity
    self.widest = widest
    self.compute = compute
    middle = .allocate(byteCount: max(64, capacity * ActivationEncoding.f32.rowBytes(columns: widest)), alignment: 64)
    projections = ActivationBuffer(
      capacity: compute.pool.threads * 2 * Self.rowsPerTile, columns: Self.columnsPerTile)
  }

  deinit { middle.deallocate() }

  /// `output[row] = factors[row] * down(silu(gate(input[row])) * up(input[row]))`, `[rows, H]`.
  ///
  /// - Parameters:
  ///   - groups: with rows that do not overlap, ascending. Their matrices are kept alive by the caller.
  ///   - factors: `[rows]`; nil: 1.
  func callAsFunction(
    _ groups: UnsafeBufferPointer<Group>, input: ProductInput, factors: UnsafePointer<Float>? = nil,
    into output: ActivationRows
  ) {
    precondition(input.count <= capacity && output.count == input.count)
    for group in groups {
      let network = group.network
      precondition(network.intermediate <= widest && network.encoding == input.encoding)
      compute.count(network.gate, rows: group.rows.count)
      compute.count(network.up, rows: group.rows.count)
      compute.count(network.down, rows: group.rows.count)
    }
    fillTiles(groups, part: { 0..<$0.intermediate }, step: { _ in Self.columnsPerTile })
    runTiles { tile, worker in gateAndUp(groups[tile.group].network, tile, input, worker) }
    fillTiles(groups, part: { 0..<$0.down.count }, step: panelsPerTile)
    runTiles { tile, _ in down(groups[tile.group].network, tile, factors, output) }
  }

  /// The same for one network over all rows.
  func callAsFunction(_ network: FeedForwardPanels, input: ProductInput, into output: ActivationRows) {
    withUnsafePointer(to: Group(network: network, rows: 0..<input.count)) {
      self(UnsafeBufferPointer(start: $0, count: 1), input: input, into: output)
    }
  }

  /// One job; no tile counts a reference.
  private func runTiles(_ body: (Tile, _ worker: Int) -> Void) {
    tiles.withUnsafeBufferPointer { tiles in
      compute.pool.run(tiles: tiles.count) { index, worker in body(tiles[index], worker) }
    }
  }

  /// Rows innermost, so that a part of the weights is used up before the next one is read.
  private func fillTiles(
    _ groups: UnsafeBufferPointer<Group>, part: (FeedForwardPanels) -> Range<Int>, step: (FeedForwardPanels) -> Int
  ) {
    tiles.removeAll(keepingCapacity: true)
    for (index, group) in groups.enumerated() {
      let (all, step) = (part(group.network), step(group.network))
      for first in stride(from: all.lowerBound, to: all.upperBound, by: step) {
        for row in stride(from: group.rows.lowerBound, to: group.rows.upperBound, by: Self.rowsPerTile) {
          tiles.append(
            Tile(
              group: index, rows: row..<min(row + Self.rowsPerTile, group.rows.upperBound),
              part: first..<min(first + step, all.upperBound)))
        }
      }
    }
  }

  /// 16 panels, or fewer where that would leave threads without work.
  private func panelsPerTile(_ network: FeedForwardPanels) -> Int {
    max(1, min(16, network.down.count / (4 * compute.pool.threads)))
  }

  private func gateAndUp(_ weights: FeedForwardPanels, _ tile: Tile, _ input: ProductInput, _ worker: Int) {
    let rows = input[rows: tile.rows]
    let panels = tile.part.lowerBound / PackedMatrix.panelRows..<(tile.part.upperBound + 15) / PackedMatrix.panelRows
    let room = Self.rowsPerTile * Self.columnsPerTile
    let gated = projections.rows(projections.capacity).base + worker * 2 * room
    let upped = gated + room
    compute.product(weights.gate, panels: panels, input: rows, output: gated, stride: Self.columnsPerTile)
    compute.product(weights.up, panels: panels, input: rows, output: upped, stride: Self.columnsPerTile)
    let middle = middle(weights)
    for (index, row) in tile.rows.enumerated() {
      let (gate, up) = (gated + index * Self.columnsPerTile, upped + index * Self.columnsPerTile)
      switch middle {
      case .f32(let rows):
        compute.siluProductOnThisThread(
          gate: gate, up: up, into: rows[row].baseAddress! + tile.part.lowerBound, count: tile.part.count)
      case .q8(let rows):
        compute.siluProductOnThisThread(gate: gate, up: up, into: gate, count: tile.part.count)
        compute.encode(gate, first: tile.part.lowerBound, count: tile.part.count, into: rows, row: row)
      }
    }
  }

  private func down(
    _ weights: FeedForwardPanels, _ tile: Tile, _ factors: UnsafePointer<Float>?, _ output: ActivationRows
  ) {
    let columns =
      tile.part.lowerBound
      * PackedMatrix.panelRows..<min(
        tile.part.upperBound * PackedMatrix.panelRows, weights.down.rows)
    let target = output[rows: tile.rows][columns: columns]
    compute.product(
      weights.down, panels: tile.part, input: middle(weights)[rows: tile.rows], output: target.base,
      stride: target.stride)
    guard let factors else { return }
    for (index, row) in tile.rows.enumerated() { compute.scale(target[index], by: factors[row]) }
  }

  private func middle(_ weights: FeedForwardPanels) -> ProductInput {
    ProductInput(weights.down.format.encoding, at: middle, count: capacity, columns: weights.down.columns)
  }
}

import CKernels

/// What a rank computes with: its kernels, its threads, and a count of the work done.
///
/// Used from one thread (the pool's worker 0).
public final class Compute {
  public let kernels: KernelTable
  public let pool: ThreadPool
  /// Weights that met a token, summed over tokens: the proof of what ran.
  public private(set) var parametersApplied = 0
  /// Of those, the ones whose products are of integers; the others are of f32.
  public private(set) var integerParametersApplied = 0
  /// Bytes of weights that products read.
  public private(set) var weightBytesRead = 0
  /// Where this rank's time went.
  public var phases = PhaseTimes()
  /// When it did the last of it.
  public var timeline = Timeline(capacity: 128)
  /// Seconds that are counted elsewhere than in the phase in which they passed.
  public var secondsAside = 0.0
  let weightMemory: WeightMemory
  /// For inputs that a product encodes by itself.
  private var encoded = EncodedBuffer(capacity: 0, columns: 0)
  /// The same inside a job, one for each worker.
  private(set) var encodedByWorker: [EncodedBuffer] = []

  /// - Parameter keepsWeights: false: matrices come and go, and each gives its memory back by itself.
  public init(kernels: KernelTable, threads: Int, keepsWeights: Bool = true) {
    self.kernels = kernels
    weightMemory = keepsWeights ? WeightMemory() : WeightMemory(slabBytes: 0)
    pool = ThreadPool(threads: threads)
  }

  /// Counts a product of some weights with `rows` input rows, whose tiles the caller runs itself.
  ///
  /// - Parameter panels: how many of the weights' panels take part; nil: all.
  public func count(_ weights: PackedPanels, panels: Int? = nil, rows: Int) {
    let panels = panels ?? weights.count
    guard rows > 0, panels > 0 else { return }
    let outputs = panels == weights.count ? weights.rows : panels * PackedMatrix.panelRows
    let parameters = outputs * weights.columns * rows
    parametersApplied += parameters
    if weights.format.encoding == .q8 { integerParametersApplied += parameters }
    weightBytesRead += panels * weights.panelBytes
  }

  /// Makes room for inputs that products encode by themselves, so that none is made later.
  public func reserveEncoding(rows: Int, columns: Int) {
    guard rows > encoded.capacity || columns > encoded.columns else { return }
    encoded = EncodedBuffer(capacity: max(rows, encoded.capacity), columns: max(columns, encoded.columns))
  }

  func reserveEncodingPerWorker(rows: Int, columns: Int) {
    guard rows > 0 else { return }
    let has = encodedByWorker.first
    guard rows > has?.capacity ?? 0 || columns > has?.columns ?? 0 else { return }
    encodedByWorker = (0..<pool.threads).map { _ in
      EncodedBuffer(capacity: max(rows, has?.capacity ?? 0), columns: max(columns, has?.columns ?? 0))
    }
  }

  func encodingRoom(rows: Int, columns: Int) -> EncodedRows {
    reserveEncoding(rows: rows, columns: columns)
    return encoded.rows(rows, columns: columns)
  }
}

// MARK: - Along rows

extension Compute {
  /// `output = input / sqrt(mean(input²) + epsilon) * weight` for each row.
  public func rmsNorm(_ input: ActivationRows, weight: [Float], epsilon: Float, into output: ActivationRows) {
    precondition(input.columns == weight.count && output.columns == weight.count)
    precondition(input.count == output.count)
    weight.withUnsafeBufferPointer { weight in
      forEachRow(input.count, cost: input.columns) { row in
        kernels.functions.rms_norm(
          input[row].baseAddress, weight.baseAddress, output[row].baseAddress, Int64(input.columns), epsilon)
      }
    }
  }

  /// `output = silu(gate) * up`, element by element; `output` may be `gate`.
  public func siluProduct(gate: ActivationRows, up: ActivationRows, into output: ActivationRows) {
    precondition(gate.columns == up.columns && output.columns == up.columns)
    forEachRow(gate.count, cost: gate.columns * 8) { row in
      kernels.functions.silu_product(
        gate[row].baseAddress, up[row].baseAddress, output[row].baseAddress, Int64(gate.columns))
    }
  }

  /// The same for a few numbers inside a tile: no job of its own.
  public func siluProductOnThisThread(
    gate: UnsafePointer<Float>, up: UnsafePointer<Float>, into output: UnsafeMutablePointer<Float>, count: Int
  ) {
    kernels.functions.silu_product(gate, up, output, Int64(count))
  }

  /// `sum += addend`, element by element.
  public func add(_ addend: ActivationRows, to sum: ActivationRows) {
    precondition(addend.count == sum.count && addend.columns == sum.columns)
    forEachRow(sum.count, cost: sum.columns) { row in addOnThisThread(addend[row], to: sum[row]) }
  }

  /// The same for one row inside a tile: no job of its own.
  func addOnThisThread(_ addend: UnsafeMutableBufferPointer<Float>, to sum: UnsafeMutableBufferPointer<Float>) {
    kernels.functions.add(sum.baseAddress, addend.baseAddress, Int64(sum.count))
  }

  /// `row = row * factor`.
  public func scale(_ row: UnsafeMutableBufferPointer<Float>, by factor: Float) {
    kernels.functions.scale(row.baseAddress, factor, row.baseAddress, Int64(row.count))
  }

  /// `values = 1 / (1 + exp(-values))`.
  public func sigmoid(_ values: UnsafeMutableBufferPointer<Float>) {
    kernels.functions.sigmoid(values.baseAddress, Int64(values.count))
  }

  /// `values = exp(values - shift)`; returns their sum.
  @discardableResult
  public func exp(_ values: UnsafeMutableBufferPointer<Float>, shift: Float) -> Float {
    kernels.functions.exp_shifted(values.baseAddress, Int64(values.count), shift)
  }

  /// Of a tile of ``forEachRow(_:cost:_:)``.
  public static let operationsPerTile = 50_000

  /// - Parameter cost: operations of a row.
  public static func rowsPerTile(cost: Int) -> Int { max(1, operationsPerTile / max(1, cost)) }

  /// Rows one by one, in tiles of some 50,000 operations.
  public func forEachRow(_ rows: Int, cost: Int, _ body: (Int) -> Void) {
    let rowsPerTile = Self.rowsPerTile(cost: cost)
    pool.run(tiles: (rows + rowsPerTile - 1) / rowsPerTile) { tile in
      for row in tile * rowsPerTile..<min((tile + 1) * rowsPerTile, rows) { body(row) }
    }
  }
}

extension Compute {
  /// ``rmsNorm(_:weight:epsilon:into:)`` of a few rows inside a tile: no job of its own.
  public func rmsNormOnThisThread(
    _ input: ActivationRows, weight: [Float], epsilon: Float, into output: ActivationRows
  ) {
    precondition(input.columns == weight.count && output.columns == weight.count)
    weight.withUnsafeBufferPointer { weight in
      for row in 0..<input.count {
        kernels.functions.rms_norm(
          input[row].baseAddress, weight.baseAddress, output[row].baseAddress, Int64(input.columns), epsilon)
      }
    }
  }
}

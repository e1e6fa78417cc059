import Kernels

extension SpeedMeter {
  /// What the kernels reach with all threads of `compute`, format by format.
  ///
  /// - Parameter isThorough: also what is left where reading and computing overlap, and what short rows cost.
  func products(
    _ buffer: StreamBuffer, _ compute: Compute, isThorough: Bool
  ) throws -> [Calibration.ProductSpeed] {
    try WeightFormat.allCases.map { format in
      let all = ProductTrial(format, tokens: 1, weightRows: nil, in: buffer, compute)
      let streamed = try median { Double(all.bytes) / seconds { all.pass() } }
      var product = Calibration.ProductSpeed(
        format: format, threads: compute.pool.threads, streamedBytesPerSecond: streamed,
        multiplyAdds: try Calibration.ProductSpeed.rows.map { rows in
          let trial = ProductTrial(format, tokens: rows, weightRows: Self.cachedRows, in: buffer, compute)
          return Calibration.RowSpeed(rows: rows, perSecond: try speed(of: trial))
        })
      if isThorough {
        product.cachedBytesPerSecond = try cached(format, buffer, compute)
        product.further = try further(product, buffer, compute)
      }
      return product
    }
  }

  /// Bytes of weights a second that lie in the last-level cache and fill it: one row of input.
  private func cached(_ format: WeightFormat, _ buffer: StreamBuffer, _ compute: Compute) throws -> Double? {
    guard let bytes = machine.lastLevelCacheBytes else { return nil }
    let rows = max(1, bytes / format.panelBytes(columns: ProductTrial.columns)) * PackedMatrix.panelRows
    let trial = ProductTrial(format, tokens: 1, weightRows: rows, in: buffer, compute)
    return try median { Double(trial.bytes) / seconds { trial.pass() } }
  }

  private func further(
    _ product: Calibration.ProductSpeed, _ buffer: StreamBuffer, _ compute: Compute
  ) throws -> Calibration.ProductSpeed.Further {
    var further = Calibration.ProductSpeed.Further(exposed: [], secondsPerOutput: [])
    for speed in product.multiplyAdds {
      further.exposed.append(speed.rows == 1 ? 0 : try exposed(product, speed, buffer, compute))
      // The same weights, cut into short rows.
      let short = ProductTrial(
        product.format, tokens: speed.rows, weightRows: Self.cachedRows * ProductTrial.columns / Self.shortColumns,
        columns: Self.shortColumns, in: buffer, compute)
      let slower = 1 / (try self.speed(of: short)) - 1 / speed.perSecond
      further.secondsPerOutput.append(
        max(0, slower / (1 / Double(Self.shortColumns) - 1 / Double(ProductTrial.columns))))
    }
    return further
  }

  /// Of reading weights and of computing with several rows, the part of the shorter one that the longer one does not
  /// hide. Memory may be faster or slower than a moment ago: each pass is held against one with a single row just before.
  private func exposed(
    _ product: Calibration.ProductSpeed, _ speed: Calibration.RowSpeed, _ buffer: StreamBuffer, _ compute: Compute
  ) throws -> Double {
    let panelBytes = product.format.panelBytes(columns: ProductTrial.columns)
    let rows = Self.pieceBytes / panelBytes * PackedMatrix.panelRows
    let one = ProductTrial(product.format, tokens: 1, weightRows: rows, in: buffer, compute)
    let trial = ProductTrial(product.format, tokens: speed.rows, weightRows: rows, in: buffer, compute)
    trial.moveOn()
    let longer = try median {
      // Each takes every other piece, so that none is in a cache.
      for each in [one, trial, one, trial] { each.moveOn() }
      let reading = seconds { one.pass() }
      return seconds { trial.pass() } / reading
    }
    let reading = Double(trial.bytes) / product.streamedBytesPerSecond
    let computing = Double(trial.multiplyAdds) / speed.perSecond
    let first = Double(trial.multiplyAdds / speed.rows) / product.multiplyAdds[0].perSecond
    let shorter = min(reading, computing - first)
    return shorter > 0 ? min(1, max(0, (longer * reading - max(reading, computing)) / shorter)) : 0
  }

  /// Multiply-adds a second with weights at hand.
  private func speed(of trial: ProductTrial) throws -> Double {
    let (tiles, calls) = (8 * trial.threads, calls { trial.run(tiles: 1, calls: 1) })
    let work = Double(trial.multiplyAdds * tiles * calls)
    return try median { work / seconds { trial.run(tiles: tiles, calls: calls) } }
  }

  /// 74 KB in 4 bits, 512 KB in f32.
  private static let cachedRows = 64
  private static let shortColumns = 256
  /// Read at once; the next of the buffer come before these again.
  private static let pieceBytes = 32 << 20
}

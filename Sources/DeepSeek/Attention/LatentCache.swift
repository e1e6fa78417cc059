import Kernels

/// What attention remembers of a sequence: for each layer and position the normed latent, in the cache's format,
/// and the rotated rotary key, f32. 576 numbers per token and layer of R1.
public final class LatentCache {
  public let layers: Int
  /// Positions that fit.
  public let capacity: Int
  public let latentRank: Int
  public let rotarySize: Int
  public let format: CacheFormat
  private let base: UnsafeMutableRawPointer
  private let bytesPerRow: Int

  /// Bytes for one position over all layers.
  public static func bytesPerPosition(layers: Int, latentRank: Int, rotarySize: Int, format: CacheFormat) -> Int {
    layers * (format.bytesPerLatent(rank: latentRank) + 4 * rotarySize)
  }

  public init(layers: Int, capacity: Int, latentRank: Int, rotarySize: Int, format: CacheFormat) {
    precondition(layers > 0 && capacity > 0)
    self.layers = layers
    self.capacity = capacity
    self.latentRank = latentRank
    self.rotarySize = rotarySize
    self.format = format
    bytesPerRow = format.bytesPerLatent(rank: latentRank) + 4 * rotarySize
    // Not initialised: the system hands out pages as positions are written, and none is read before.
    base = .allocate(byteCount: layers * capacity * bytesPerRow, alignment: 64)
  }

  deinit { base.deallocate() }

  /// The rows of a layer, valid as long as the cache lives.
  func rows(layer: Int) -> CachedRows {
    precondition(layer >= 0 && layer < layers)
    return CachedRows(
      base: base + layer * capacity * bytesPerRow, count: capacity, bytesPerRow: bytesPerRow, latentRank: latentRank,
      rotarySize: rotarySize, format: format)
  }
}

/// A window on the cached rows of one layer. Threads may write different rows at the same time.
struct CachedRows: @unchecked Sendable {
  let base: UnsafeMutableRawPointer
  let count: Int
  let bytesPerRow: Int
  let latentRank: Int
  let rotarySize: Int
  let format: CacheFormat

  private func row(_ position: Int) -> UnsafeMutableRawPointer {
    precondition(position >= 0 && position < count, "position \(position) of \(count)")
    return base + position * bytesPerRow
  }

  /// The rotary key of a position, `[rotarySize]`; that of the next is ``rotaryStride`` numbers on.
  func rotary(_ position: Int) -> UnsafeMutablePointer<Float> {
    (row(position) + format.bytesPerLatent(rank: latentRank)).assumingMemoryBound(to: Float.self)
  }

  var rotaryStride: Int { bytesPerRow / 4 }

  /// Rounds a latent, `[latentRank]`, to the cache's format and keeps it.
  func store(_ latent: UnsafePointer<Float>, at position: Int, kernels: KernelTable) {
    switch format {
    case .f32: row(position).assumingMemoryBound(to: Float.self).update(from: latent, count: latentRank)
    case .f16:
      kernels.narrow(latent, into: row(position).assumingMemoryBound(to: UInt16.self), count: latentRank)
    }
  }

  /// The latents of some positions as f32, `[range.count, latentRank]`: in place, or widened into `scratch`.
  func latents(_ range: Range<Int>, scratch: ActivationRows, kernels: KernelTable) -> ActivationRows {
    let first = row(range.lowerBound)
    precondition(range.upperBound <= count)
    switch format {
    case .f32:
      return ActivationRows(
        base: first.assumingMemoryBound(to: Float.self), count: range.count, columns: latentRank, stride: rotaryStride)
    case .f16:
      for index in 0..<range.count {
        kernels.widen(
          UnsafePointer((first + index * bytesPerRow).assumingMemoryBound(to: UInt16.self)),
          into: scratch[index].baseAddress!, count: latentRank)
      }
      return scratch[rows: 0..<range.count]
    }
  }

  /// Some positions as keys and values of the absorbed form. Latents in f16 are widened into `scratch` by the kernel.
  func block(_ range: Range<Int>, scratch: ActivationRows) -> KeyValueBlock {
    let first = row(range.lowerBound)
    precondition(range.upperBound <= count)
    func block(_ latents: UnsafePointer<Float>, stride: Int, halves: HalfKeys? = nil) -> KeyValueBlock {
      KeyValueBlock(
        count: range.count, keyContent: latents, keyContentStride: stride, keyRotary: rotary(range.lowerBound),
        keyRotaryStride: rotaryStride, value: latents, valueStride: stride, halves: halves)
    }
    switch format {
    case .f32: return block(first.assumingMemoryBound(to: Float.self), stride: rotaryStride)
    case .f16:
      precondition(range.count <= scratch.count)
      let halves = HalfKeys(
        base: first.assumingMemoryBound(to: UInt16.self), stride: bytesPerRow / 2, widened: scratch.base)
      return block(scratch.base, stride: scratch.stride, halves: halves)
    }
  }

  /// The memory of some positions.
  func bytes(_ range: Range<Int>) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: row(range.lowerBound), count: range.count * bytesPerRow)
  }
}

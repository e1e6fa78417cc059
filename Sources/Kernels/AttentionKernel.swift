import CKernels

/// Rows that look at keys: queries of one head, or heads of one query. Row i of each part lies at
/// `base + i * stride`, f32.
public struct AttentionQueries {
  public var count: Int
  /// `[count, contentSize]`
  public var content: UnsafePointer<Float>
  public var contentStride: Int
  /// `[count, rotarySize]`
  public var rotary: UnsafePointer<Float>
  public var rotaryStride: Int

  public init(
    count: Int, content: UnsafePointer<Float>, contentStride: Int, rotary: UnsafePointer<Float>, rotaryStride: Int
  ) {
    self.count = count
    self.content = content
    self.contentStride = contentStride
    self.rotary = rotary
    self.rotaryStride = rotaryStride
  }
}

/// Keys and values of one block of positions.
///
/// Row j of each part lies at `base + j * stride`, f32. A key has a content part (`[contentSize]`: the head's
/// own key or the latent) and a rotary part (`[rotarySize]`, shared by all heads).
public struct KeyValueBlock {
  /// Positions, 1 to ``AttentionShape/block``.
  public var count: Int
  public var keyContent: UnsafePointer<Float>
  public var keyContentStride: Int
  public var keyRotary: UnsafePointer<Float>
  public var keyRotaryStride: Int
  public var value: UnsafePointer<Float>
  public var valueStride: Int
  /// Where the content part is not there yet, but comes from f16.
  public var halves: HalfKeys?

  public init(
    count: Int, keyContent: UnsafePointer<Float>, keyContentStride: Int, keyRotary: UnsafePointer<Float>,
    keyRotaryStride: Int, value: UnsafePointer<Float>, valueStride: Int, halves: HalfKeys? = nil
  ) {
    self.count = count
    self.keyContent = keyContent
    self.keyContentStride = keyContentStride
    self.keyRotary = keyRotary
    self.keyRotaryStride = keyRotaryStride
    self.value = value
    self.valueStride = valueStride
    self.halves = halves
  }
}

/// The content part of keys in f16; row j lies at `base + j * stride`. The kernel writes it as f32 to the memory that
/// ``KeyValueBlock/keyContent`` points to, before it reads that.
public struct HalfKeys {
  public var base: UnsafePointer<UInt16>
  public var stride: Int
  public var widened: UnsafeMutablePointer<Float>

  public init(base: UnsafePointer<UInt16>, stride: Int, widened: UnsafeMutablePointer<Float>) {
    self.base = base
    self.stride = stride
    self.widened = widened
  }
}

/// The running softmax of some rows: maximum and sum of row i at `base + i * stride`, its output,
/// `[valueSize]` and not yet divided by the sum, at `output + i * outputStride`.
public struct SoftmaxRows {
  public var maximum: UnsafeMutablePointer<Float>
  public var sum: UnsafeMutablePointer<Float>
  public var stride: Int
  public var output: UnsafeMutablePointer<Float>
  public var outputStride: Int

  public init(
    maximum: UnsafeMutablePointer<Float>, sum: UnsafeMutablePointer<Float>, stride: Int,
    output: UnsafeMutablePointer<Float>, outputStride: Int
  ) {
    self.maximum = maximum
    self.sum = sum
    self.stride = stride
    self.output = output
    self.outputStride = outputStride
  }
}

/// Which keys of a block the rows may see.
public enum KeyVisibility: Equatable {
  case all
  /// The first row sees this many, at least 1, and each later row one more, until it sees all.
  case causal(firstRow: Int)
}

/// The sizes that all heads of a layer share.
public struct AttentionShape: Sendable {
  public let contentSize: Int
  public let rotarySize: Int
  public let valueSize: Int
  /// On every score before the softmax.
  public let scale: Float
  /// Positions in a block; blocks start at multiples of it, whatever the chunk.
  public static let block = Int(FK_ATTENTION_BLOCK)

  public init(contentSize: Int, rotarySize: Int, valueSize: Int, scale: Float) {
    self.contentSize = contentSize
    self.rotarySize = rotarySize
    self.valueSize = valueSize
    self.scale = scale
  }
}

extension KernelTable {
  /// Rows that ``attend(_:to:visible:shape:isFirst:upcoming:into:)`` takes together; a few rows less take longer.
  public var attentionRows: Int { Int(functions.attend_rows) }

  /// One block for some rows: scores, softmax and weighted values, merged into the running state of the blocks
  /// before it. What a row gets depends on no other row. Divide by the sum at the end.
  ///
  /// - Parameters:
  ///   - isFirst: whether nothing came before: the state is then only written.
  ///   - upcoming: memory that is fetched meanwhile because it will be read next.
  public func attend(
    _ queries: AttentionQueries, to block: KeyValueBlock, visible: KeyVisibility, shape: AttentionShape,
    isFirst: Bool, upcoming: UnsafeRawBufferPointer = .init(start: nil, count: 0), into state: SoftmaxRows
  ) {
    precondition(block.count >= 1 && block.count <= AttentionShape.block)
    let firstRowKeys: Int
    switch visible {
    case .all: firstRowKeys = block.count
    case .causal(let firstRow): firstRowKeys = firstRow
    }
    precondition(firstRowKeys >= 1 && firstRowKeys <= block.count)
    precondition(block.halves.map { UnsafePointer($0.widened) == block.keyContent } ?? true)
    var job = fk_attention_block(
      rows: Int64(queries.count), query_content: queries.content, query_rotary: queries.rotary,
      query_content_stride: Int64(queries.contentStride), query_rotary_stride: Int64(queries.rotaryStride),
      key_content: block.keyContent, key_rotary: block.keyRotary, value: block.value,
      key_content_stride: Int64(block.keyContentStride), key_rotary_stride: Int64(block.keyRotaryStride),
      value_stride: Int64(block.valueStride), key_halves: block.halves?.base,
      key_halves_stride: Int64(block.halves?.stride ?? 0), widened_keys: block.halves?.widened,
      content_size: Int64(shape.contentSize),
      rotary_size: Int64(shape.rotarySize), value_size: Int64(shape.valueSize), keys: Int64(block.count),
      first_row_keys: Int64(firstRowKeys), is_causal: visible != .all, is_first: isFirst, scale: shape.scale,
      maximum: state.maximum, sum: state.sum, state_stride: Int64(state.stride), output: state.output,
      output_stride: Int64(state.outputStride), upcoming: upcoming.baseAddress?.assumingMemoryBound(to: CChar.self),
      upcoming_bytes: Int64(upcoming.count))
    functions.attend(&job)
  }

  /// Merges the softmax of later blocks into that of earlier ones; both outputs are `[count]`.
  public func mergeSoftmax(
    maximum: UnsafeMutablePointer<Float>, sum: UnsafeMutablePointer<Float>, output: UnsafeMutablePointer<Float>,
    laterMaximum: Float, laterSum: Float, laterOutput: UnsafePointer<Float>, count: Int
  ) {
    functions.merge_softmax(maximum, sum, output, laterMaximum, laterSum, laterOutput, Int64(count))
  }

  /// `output = input * factor`, `[count]`; they may be the same.
  public func scale(
    _ input: UnsafePointer<Float>, by factor: Float, into output: UnsafeMutablePointer<Float>, count: Int
  ) {
    functions.scale(input, factor, output, Int64(count))
  }

  /// f16 to f32, exact.
  public func widen(_ halves: UnsafePointer<UInt16>, into output: UnsafeMutablePointer<Float>, count: Int) {
    functions.f16_to_f32(halves, output, Int64(count))
  }

  /// f32 to f16, nearest even; beyond the range of f16 infinity.
  public func narrow(_ input: UnsafePointer<Float>, into halves: UnsafeMutablePointer<UInt16>, count: Int) {
    functions.f32_to_f16(input, halves, Int64(count))
  }
}

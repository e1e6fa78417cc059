import Kernels

/// How attention is computed for a position. A property of the position, never of the call (DESIGN.md, 2.5):
/// both forms are equal in mathematics, not in rounding.
public enum AttentionForm: String, Sendable, Codable, CaseIterable {
  /// Keys and values are expanded from the latents for each head. Positions of a prompt.
  case expanded
  /// The up-projections are absorbed into query and output; attention reads the latents. Generated positions.
  case absorbed
}

/// Consecutive tokens of one sequence in a batch.
public struct Segment {
  public let cache: LatentCache
  /// Position of the first token.
  public let firstPosition: Int
  public let count: Int
  public let form: AttentionForm
  /// Row of the first token in the batch.
  public fileprivate(set) var firstRow = 0

  public init(cache: LatentCache, firstPosition: Int, count: Int, form: AttentionForm) {
    precondition(count > 0 && firstPosition >= 0 && firstPosition + count <= cache.capacity)
    self.cache = cache
    self.firstPosition = firstPosition
    self.count = count
    self.form = form
  }
}

/// The tokens of one step, of any number of sequences: absorbed rows first, then expanded rows.
public struct Batch {
  public private(set) var segments: [Segment] = []
  /// `[rows]` token ids.
  public private(set) var tokens: [Int] = []
  /// Rows `0..<absorbedRows` are absorbed, the rest expanded.
  public private(set) var absorbedRows = 0

  public var rows: Int { tokens.count }

  public init() {}

  /// Adds a segment; absorbed ones must come before expanded ones. Returns its rows.
  @discardableResult
  public mutating func append(_ segment: Segment, tokens new: some Collection<Int>) -> Range<Int> {
    precondition(new.count == segment.count)
    precondition(segment.form == .expanded || absorbedRows == tokens.count, "absorbed rows come first")
    var segment = segment
    segment.firstRow = tokens.count
    tokens.append(contentsOf: new)
    segments.append(segment)
    if segment.form == .absorbed { absorbedRows = tokens.count }
    return segment.firstRow..<tokens.count
  }

  /// Some of the rows, with their segments cut to fit.
  func slice(_ range: Range<Int>) -> Batch {
    guard range != 0..<rows else { return self }
    var part = Batch()
    for segment in segments {
      let own = (segment.firstRow..<segment.firstRow + segment.count).clamped(to: range)
      guard !own.isEmpty else { continue }
      part.append(
        Segment(
          cache: segment.cache, firstPosition: segment.firstPosition + own.lowerBound - segment.firstRow,
          count: own.count, form: segment.form),
        tokens: tokens[own])
    }
    return part
  }

  public mutating func removeAll() {
    segments.removeAll(keepingCapacity: true)
    tokens.removeAll(keepingCapacity: true)
    absorbedRows = 0
  }
}

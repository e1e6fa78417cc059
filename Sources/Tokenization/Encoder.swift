import Synchronization

/// Text to ids: added tokens, pieces, byte pairs.
final class Encoder: Sendable {
  let patterns: [SplitPattern]
  private let pairs: BytePairs
  private let addedTokens: AddedTokens
  /// Caches that no call is using.
  private let idle = Mutex<[Workspace]>([])
  private static let idleLimit = 8
  /// A workspace that served a longer text is let go: its lists grew with the text.
  private static let idleTextLimit = 1 << 20

  /// Positions in a piece have 32 bits. No prompt has a gigabyte without a word's end; bad input might.
  private static let longestPiece = 1 << 30

  private struct Workspace: Sendable {
    var cache = PieceCache()
    var scratch = BytePairs.Scratch()
    var ends: [Int] = []
    var finerEnds: [Int] = []
  }

  init(patterns: [SplitPattern], pairs: BytePairs, addedTokens: AddedTokens) {
    self.patterns = patterns
    self.pairs = pairs
    self.addedTokens = addedTokens
  }

  /// - Parameter templateRanges: ascending ranges of `text` in which added tokens count.
  func encode(_ text: Span<UInt8>, templateRanges: [Range<Int>]) -> [Int] {
    var matches: [AddedTokens.Match] = []
    for range in templateRanges {
      addedTokens.find(in: text, from: range.lowerBound, to: range.upperBound, into: &matches)
    }
    var workspace = idle.withLock { $0.popLast() } ?? Workspace()
    var ids: [Int] = []
    ids.reserveCapacity(text.count / 4 + 4)
    var position = 0
    for match in matches {
      encodePlain(text, from: position, to: match.start, with: &workspace, into: &ids)
      ids.append(match.id)
      position = match.end
    }
    encodePlain(text, from: position, to: text.count, with: &workspace, into: &ids)
    if text.count <= Self.idleTextLimit {
      idle.withLock { [workspace] in
        if $0.count < Self.idleLimit { $0.append(workspace) }
      }
    }
    return ids
  }

  /// Text without added tokens.
  private func encodePlain(
    _ text: Span<UInt8>, from start: Int, to end: Int, with workspace: inout Workspace,
    into ids: inout [Int]
  ) {
    guard start < end else { return }
    workspace.ends.removeAll(keepingCapacity: true)
    workspace.ends.append(end)
    for pattern in patterns {
      workspace.finerEnds.removeAll(keepingCapacity: true)
      var pieceStart = start
      for pieceEnd in workspace.ends {
        pattern.split(text, from: pieceStart, to: pieceEnd, into: &workspace.finerEnds)
        pieceStart = pieceEnd
      }
      swap(&workspace.ends, &workspace.finerEnds)
    }
    var pieceStart = start
    for pieceEnd in workspace.ends {
      encodePiece(
        text, from: pieceStart, to: pieceEnd, cache: &workspace.cache, scratch: &workspace.scratch,
        into: &ids)
      pieceStart = pieceEnd
    }
  }

  @inline(__always)
  private func encodePiece(
    _ text: Span<UInt8>, from start: Int, to end: Int, cache: inout PieceCache,
    scratch: inout BytePairs.Scratch, into ids: inout [Int]
  ) {
    guard end - start <= PieceCache.Key.longest else {
      for block in stride(from: start, to: end, by: Self.longestPiece) {
        let blockEnd = min(end, block + Self.longestPiece)
        pairs.encode(text, from: block, to: blockEnd, scratch: &scratch, into: &ids)
      }
      return
    }
    let key = PieceCache.Key(text, from: start, to: end)
    if cache.append(key, to: &ids) { return }
    let before = ids.count
    pairs.encode(text, from: start, to: end, scratch: &scratch, into: &ids)
    cache.remember(key, ids[before...])
  }
}

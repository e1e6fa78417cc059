/// Which tokens of a text are scored, as llama.cpp's perplexity tool does it: the text is cut into windows, each
/// begins with the beginning-of-sentence token in place of its own first one, and the second half of each is scored.
public struct PerplexityPlan: Sendable, Equatable {
  /// Tokens of the whole text.
  public let tokens: [Int]
  /// Tokens of a window.
  public let window: Int
  /// Windows that are read; what is left of the text is not.
  public let windows: Int
  /// Takes the place of a window's first token; nil: that stays.
  public let bosToken: Int?

  /// - Parameters:
  ///   - most: the most windows to read; nil: all.
  /// - Throws: ``RequestError`` where the text does not fill a window.
  public init(tokens: [Int], window: Int, most: Int?, bosToken: Int?) throws(RequestError) {
    precondition(window >= Self.smallestWindow)
    guard tokens.count >= window else {
      throw RequestError(
        "text: expected at least \(window) tokens, the size of a window, found \(tokens.count). "
          + "Hint: give a longer text, or smaller windows with -c")
    }
    self.tokens = tokens
    self.window = window
    windows = min(tokens.count / window, most ?? .max)
    self.bosToken = bosToken
  }

  /// One token to read, one to predict from it.
  public static let smallestWindow = 4

  /// Tokens of a window as the model reads them.
  public func input(_ index: Int) -> [Int] {
    var input = Array(tokens[index * window..<(index + 1) * window])
    if let bosToken { input[0] = bosToken }
    return input
  }

  /// Positions in a window whose next token is scored.
  public var scored: Range<Int> { Self.scored(window: window) }

  static func scored(window: Int) -> Range<Int> { window / 2..<window - 1 }

  /// Tokens that are scored in all.
  public var scoredCount: Int { windows * scored.count }
}

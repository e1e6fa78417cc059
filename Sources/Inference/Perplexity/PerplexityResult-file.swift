import Foundation

extension PerplexityResult {
  /// Reads what `flotilla perplexity --json` has written.
  ///
  /// - Throws: ``RequestError``.
  public init(file path: String) throws {
    func wrong(_ field: String, _ expected: String, _ found: String) -> RequestError {
      RequestError(
        "\(path): \(field): expected \(expected), found \(found). Hint: flotilla perplexity MODEL -f TEXT --kl-base f32 "
          + "--json writes one")
    }
    guard let data = try? FileHandle(forReadingFrom: URL(filePath: path)).read(upToCount: 1 << 20) else {
      throw wrong("file", "a readable one", "none")
    }
    guard let result = try? JSONDecoder().decode(PerplexityResult.self, from: data) else {
      throw wrong("JSON", "the result of a perplexity", "something else")
    }
    guard let comparison = result.comparison else { throw wrong("comparison", "one with another format", "none") }
    let numbers = [comparison.divergence.mean.value, comparison.sameTop.value, result.perplexity.value]
    guard numbers.allSatisfy(\.isFinite), (1...1 << 56).contains(result.tokens) else {
      throw wrong("numbers", "finite ones of 1 token or more", "others")
    }
    self = result
  }
}

import ExpertParallel

/// Random tokens of a vocabulary, none of them special; the same for the same seed.
package struct BenchTokens {
  private let vocabulary: Int
  private let isSpecial: (Int) -> Bool
  private let seed: UInt64

  package init(vocabulary: Int, isSpecial: @escaping (Int) -> Bool, seed: UInt64) {
    self.vocabulary = vocabulary
    self.isSpecial = isSpecial
    self.seed = seed
  }

  /// The first `count` tokens of a stream; a longer request begins with the same.
  ///
  /// - Parameter stream: a number for each independent stream.
  package func stream(_ stream: Int, count: Int) -> [Int] {
    var random = SplitMix64(seed &+ UInt64(stream) &* 0x9E37_79B9_7F4A_7C15)
    // A vocabulary of special tokens only has no others to offer.
    return (0..<count).map { _ in
      for _ in 0..<1000 {
        let id = Int(random.next() % UInt64(vocabulary))
        if !isSpecial(id) { return id }
      }
      return 0
    }
  }
}

/// One line of a bench: prompt tokens read, then tokens generated, behind a filled cache.
public struct BenchTest: Sendable, Equatable, Codable {
  /// Prompt tokens that are read; 0: none.
  public var prompt: Int
  /// Tokens that each sequence generates after them; 0: none.
  public var generated: Int
  /// Positions in the cache before that.
  public var depth: Int
  /// Sequences that generate together; 1 where a prompt is read.
  public var parallel: Int

  public init(prompt: Int, generated: Int, depth: Int = 0, parallel: Int = 1) {
    self.prompt = prompt
    self.generated = generated
    self.depth = depth
    self.parallel = parallel
  }

  /// As llama-bench names it: "pp512", "tg128 @ d8192", "pp512+tg128"; several sequences: "tg128 x4".
  public var name: String {
    let parts = [prompt > 0 ? "pp\(prompt)" : nil, generated > 0 ? "tg\(generated)" : nil].compactMap { $0 }
    return parts.joined(separator: "+") + (parallel > 1 ? " x\(parallel)" : "") + (depth > 0 ? " @ d\(depth)" : "")
  }

  /// Tokens of one repetition, over all sequences.
  public var tokens: Int { prompt + generated * parallel }

  /// Positions that a sequence has in the cache at the end. Without a prompt and depth there is one token to begin with.
  var positions: Int { max(depth + prompt, 1) + generated }
}

/// Everything that a bench is asked to measure.
public struct BenchPlan: Sendable, Equatable {
  /// Prompt lengths, each alone.
  public var prompts: [Int]
  /// Numbers of tokens to generate, each with every number of sequences.
  public var generated: [Int]
  /// Prompts followed by generation, timed as one.
  public var pairs: [Pair]
  public var depths: [Int]
  public var parallel: [Int]

  public struct Pair: Sendable, Equatable {
    public var prompt: Int
    public var generated: Int

    public init(prompt: Int, generated: Int) {
      self.prompt = prompt
      self.generated = generated
    }
  }

  public init(prompts: [Int], generated: [Int], pairs: [Pair], depths: [Int], parallel: [Int]) {
    self.prompts = prompts
    self.generated = generated
    self.pairs = pairs
    self.depths = depths
    self.parallel = parallel
  }

  /// By depth, ascending, so that a filled cache is filled further; lengths of 0 are left out.
  public var tests: [BenchTest] {
    depths.sorted().flatMap { depth -> [BenchTest] in
      let reading = prompts.filter { $0 > 0 }.map { BenchTest(prompt: $0, generated: 0, depth: depth) }
      let writing = generated.filter { $0 > 0 }.flatMap { count in
        parallel.map { BenchTest(prompt: 0, generated: count, depth: depth, parallel: $0) }
      }
      let both = pairs.map { BenchTest(prompt: $0.prompt, generated: $0.generated, depth: depth) }
        .filter { $0.tokens > 0 }
      return reading + writing + both
    }
  }

  /// Most positions of a sequence's cache that are written.
  ///
  /// - Parameter chunk: most prompt tokens of a step.
  public func positions(prefillChunk chunk: Int) -> Int {
    let tests = tests
    let plain = tests.map(\.positions).max() ?? 1
    // Sequences that generate together begin with a prompt token each. Where a step has no room for all of these, the
    // first sequences generate while the last begin.
    return tests.reduce(plain) { $1.prompt > 0 ? $0 : max($0, $1.positions + ($1.parallel - 1) / min(chunk, plain)) }
  }

  /// Tokens of a sequence beyond its positions: the last one is known and never read, and one more is never reached, so
  /// that no sequence ends by itself.
  static let unreadTokens = 2

  /// Most sequences at once.
  public var sequences: Int { tests.map(\.parallel).max() ?? 1 }
}

extension RunOptions {
  /// Makes room for what a bench measures, and for no more.
  public mutating func makeRoom(for plan: BenchPlan) {
    contextSize = plan.positions(prefillChunk: prefillChunk)
    contextOptions = "-p, -n, -d, -pg"
    unreadTokens = BenchPlan.unreadTokens
    parallel = plan.sequences
  }
}

/// What one test gave. All durations in seconds.
public struct BenchResult: Sendable, Equatable {
  public var test: BenchTest
  /// Of each repetition.
  public var seconds: [Double]
  /// From the start of a prompt to its first token, of each repetition; empty without a prompt.
  public var firstTokenSeconds: [Double]
  /// Of each step that generated, over all repetitions.
  public var tokenSeconds: [Double]
  /// Bytes of weights read by all ranks, over all repetitions: of the experts those that ran, once a step.
  public var weightBytes: Int
  /// Bytes of the cache that steps looked back on, over all repetitions.
  public var cacheBytes: Int
  /// Weights times rows, over all ranks and repetitions: multiply-adds.
  public var multiplyAdds: Int
  /// Of those, the ones of integers; the others are of f32.
  public var integerMultiplyAdds: Int

  public init(
    test: BenchTest, seconds: [Double] = [], firstTokenSeconds: [Double] = [], tokenSeconds: [Double] = [],
    weightBytes: Int = 0, cacheBytes: Int = 0, multiplyAdds: Int = 0, integerMultiplyAdds: Int = 0
  ) {
    self.test = test
    self.seconds = seconds
    self.firstTokenSeconds = firstTokenSeconds
    self.tokenSeconds = tokenSeconds
    self.weightBytes = weightBytes
    self.cacheBytes = cacheBytes
    self.multiplyAdds = multiplyAdds
    self.integerMultiplyAdds = integerMultiplyAdds
  }

  /// Tokens a second of each repetition, all sequences together.
  public var tokensPerSecond: [Double] { seconds.map { Double(test.tokens) / $0 } }

  /// Bytes of weights and of the cache that a token needed, on average.
  public var weightBytesPerToken: Double { Double(weightBytes) / Double(test.tokens * max(seconds.count, 1)) }
  public var cacheBytesPerToken: Double { Double(cacheBytes) / Double(test.tokens * max(seconds.count, 1)) }

  /// Weights and cache, over all repetitions.
  public var bytesPerSecond: Double { Double(weightBytes + cacheBytes) / totalSeconds }
  /// Of the products with weights, over all repetitions. One is two operations.
  public var multiplyAddsPerSecond: Double { Double(multiplyAdds) / totalSeconds }

  private var totalSeconds: Double { max(seconds.reduce(0, +), .leastNormalMagnitude) }
}

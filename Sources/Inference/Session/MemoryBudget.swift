import Foundation

/// Whether what the ranks of a host need fits into its memory. Decided before anything is loaded: a system that runs out
/// of memory ends other programs too.
struct MemoryBudget {
  private let plan: MemoryPlan
  private let ranks: [Int]
  /// Bytes that may still be taken; nil where the system does not tell.
  private let available: Int?
  /// Whether weights stay in their files: what is not in memory is read when it is needed, which is slow and no error.
  private let mapsWeights: Bool

  /// What gives the context size; nil: `--ctx-size`.
  private let contextOptions: String?

  init(
    _ plan: MemoryPlan, ranks: [Int], available: Int?, mapsWeights: Bool, contextOptions: String? = nil
  ) {
    self.contextOptions = contextOptions
    self.plan = plan
    self.ranks = ranks
    self.available = available
    self.mapsWeights = mapsWeights
  }

  /// The context as asked for, or the longest that fits.
  ///
  /// - Throws: `RequestError` where a shorter one than asked for would fit, which it names.
  func contextSize(asked: Int?) throws -> Int {
    let most = plan.configuration.maxPositions
    let subject = "context size" + (contextOptions.map { " of \($0)" } ?? "")
    if let asked, asked < 1 || asked > most {
      throw RequestError(
        "\(subject): expected 1 to \(most) (the model's maximum), found \(asked). Hint: \(advice)")
    }
    guard let available else { return asked ?? most }
    if let asked {
      if shortage(contextSize: asked) != nil,
        let size = plan.contextThatFits(ranks: ranks, available: available + mappedBytes)
      {
        throw RequestError(
          "\(subject): expected at most \(size), for which the memory of this host has room with \(plan.sequences) "
            + "at once, found \(asked). Hint: lower \(contextOptions ?? "--ctx-size"), --parallel or --prefill-chunk, or use a "
            + "smaller --quant"
        )
      }
      return asked
    }
    if let size = plan.contextThatFits(ranks: ranks, available: available) { return size }
    // Beside mapped weights that do not fit, the cache gets a quarter of the memory.
    guard mapsWeights else { return 1 }
    return plan.contextThatFits(ranks: ranks, available: available / 4 + mappedBytes) ?? 1
  }

  /// What to do where the model has no such positions.
  private var advice: String {
    (contextOptions == nil ? "lower --ctx-size" : "give fewer tokens")
      + "; the maximum is max_position_embeddings of the model's configuration"
  }

  /// Needed and available bytes; nil where all fits.
  func shortage(contextSize: Int) -> String? {
    let needed = plan.bytes(ranks: ranks, contextSize: contextSize) - mappedBytes
    guard let available, needed > available else { return nil }
    let who = ranks.count == 1 ? "" : " for the \(ranks.count) ranks of this host together"
    return "memory: expected \(Self.gib(needed))\(who) with context \(contextSize), found \(Self.gib(available)) free"
  }

  /// What a person should know of weights that do not fit; nil where all do.
  func note(host: String) -> String? {
    guard let available, mapsWeights, mappedBytes > available else { return nil }
    return "the weights on host \(host) (\(Self.gib(mappedBytes))) are larger than its free memory "
      + "(\(Self.gib(available))): what does not fit is read from the disk again and again; more nodes help"
  }

  private var mappedBytes: Int { mapsWeights ? ranks.reduce(0) { $0 + plan.weightBytes(rank: $1) } : 0 }

  private static func gib(_ bytes: Int) -> String { String(format: "%.2f GiB", Double(bytes) / 0x1p30) }
}

/// What is asked of a model: how many tokens go in and come out, of how many sequences at once.
public struct Workload: Sendable, Equatable, Codable {
  /// Tokens of each prompt.
  public var prompt: Int
  /// Tokens to generate for each sequence.
  public var generated: Int
  /// Sequences that are generated at once.
  public var sequences: Int
  /// Positions that each sequence's cache has room for.
  public var context: Int
  public var prefillChunk = 512
  public var microBatches = 2

  /// - Parameter context: nil: what prompt and generated tokens take.
  public init(prompt: Int = 512, generated: Int = 128, sequences: Int = 1, context: Int? = nil) {
    self.prompt = prompt
    self.generated = generated
    self.sequences = sequences
    self.context = context ?? prompt + generated
  }

  func with(sequences: Int) -> Workload {
    var workload = self
    workload.sequences = sequences
    return workload
  }
}

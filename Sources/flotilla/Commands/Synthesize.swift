import ArgumentParser
import Checkpoint
import Foundation
import Inference
import MessagePassing
import Reporting

struct Synthesize: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a random checkpoint of any shape, with a tokenizer that fits.",
    discussion: """
      The words mean nothing; every other command runs on it. The same seed gives the same bytes. Shapes with a \
      name: tiny (0.5M parameters), mini (25M), bench-3b (3B), v2-lite (15.7B), v2 (236B), r1 (671B).

      EXAMPLES
        flotilla synthesize /tmp/mini --like mini --seed 1
        flotilla synthesize /tmp/mine --like DeepSeek-R1/config.json --dtype bf16
      """)

  /// How weights are stored.
  enum StoredType: String, AnyCaseArgument {
    case f32, bf16, fp8
  }

  @Argument(help: ArgumentHelp("Folder to write: new, or empty.", valueName: "out"))
  var output: String

  @Option(help: ArgumentHelp("A config.json, a folder that holds one, or the name of a shape.", valueName: "config"))
  var like: String

  @Option(name: .shortAndLong, help: "Seed of the weights, from 0.")
  var seed: UInt64 = 0

  @Option(help: "How weights are stored: f32, bf16 or fp8 (blocks of 128 x 128). Default: as --like says, else bf16.")
  var dtype: StoredType?

  @Flag(name: .shortAndLong, help: "No progress, no summary.")
  var quiet = false

  func run() throws {
    guard ProcessRank.current.isFirst else { return }
    let shape = try ModelShape(like: like)
    var configuration = shape.configuration
    var storage = shape.dtype == "float32" ? ElementType.f32 : .bf16
    switch dtype {
    case nil: break
    case .f32?: (storage, configuration.quantizationBlock) = (.f32, nil)
    case .bf16?: (storage, configuration.quantizationBlock) = (.bf16, nil)
    case .fp8?:
      storage = .bf16
      configuration.quantizationBlock = configuration.quantizationBlock ?? .init(rows: 128, columns: 128)
    }
    let synthesizer = try Synthesizer(configuration, seed: seed, storage: storage)
    let folder = URL(filePath: output)
    let progress = ProgressLine("Writing", .bytes, isQuiet: quiet)
    do {
      TerminationSignal.install()
      try synthesizer.write(to: folder) {
        progress.update(Int($0), of: Int($1))
        if Fleet.isInterrupted { throw Interrupted() }
      }
    } catch let error as CheckpointError where error.subject != "folder" {
      // The disk's fault, not that of the options.
      progress.finish()
      throw Failure(cause: error, status: .failure)
    }
    progress.finish()
    guard !quiet else { return }
    let parameters = ParameterInventory(synthesizer.configuration).total
    try StandardOutput.write(
      "Wrote \(Format.count(parameters)) parameters, \(Format.bytes(Int(synthesizer.totalBytes))), to "
        + "\(printable(output)) (seed \(seed)).\n")
  }
}

import ArgumentParser
import Foundation
import Reporting

@main
struct Flotilla: ParsableCommand {
  static let version = "0.1.0"

  static let configuration = CommandConfiguration(
    commandName: "flotilla",
    abstract: "Runs DeepSeek-V3 and R1 across ordinary networked machines: the experts spread over MPI ranks.",
    discussion: """
      MODEL is a Hugging Face folder (config.json, safetensors files, tokenizer.json) or a GGUF file. Every command \
      works with and without mpirun; what needs one process only runs on rank 0.

      EXAMPLES
        flotilla generate -p "What is 478 + 256?"
        mpirun -n 4 --bind-to none flotilla generate DeepSeek-V2-Lite -p "Hello"
        flotilla inspect DeepSeek-R1 --placement-for 8
        flotilla synthesize /tmp/mini --like mini --seed 1
        printf 'Hello' | flotilla tokenize DeepSeek-R1
        mpirun -n 4 --bind-to none flotilla calibrate
      More ranks than cores on one host: add --oversubscribe.

      EXIT CODES
        0 done; 1 failed; 2 wrong options or wrong input;
        3 a rank was lost or the ranks do not agree; 130 interrupted.
        mpirun puts its own in place of some: 137 after a rank was killed,
        1 after Ctrl-C.

      ENVIRONMENT
        FLOTILLA_MODELS  folder that holds Abacus, the built-in model
        FLOTILLA_ISA     kernels to use: avx512, avx2, neon or scalar
        NO_COLOR         no colors
      """,
    version: version,
    groupedSubcommands: [
      CommandGroup(name: "Run a model:", subcommands: [Generate.self, Chat.self, LaunchCommand.self, Trace.self]),
      CommandGroup(name: "Plan:", subcommands: [PlanCommand.self]),
      CommandGroup(
        name: "Measure:",
        subcommands: [
          BenchCommand.self, Perplexity.self, Simulate.self, ReportCommand.self, Calibrate.self, DoctorCommand.self,
        ]),
      CommandGroup(
        name: "Prepare and look:",
        subcommands: [Inspect.self, Prepare.self, PushCommand.self, Tokenize.self, Synthesize.self, Export.self]),
    ])

  /// Parses, runs, and ends the process with an ``ExitStatus``.
  ///
  /// Synchronous on purpose: MPI stays on the main thread.
  static func main() {
    StandardDescriptors.reserve()
    let process = ProcessRank.current
    var command: any ParsableCommand
    do {
      command = try parse(Array(CommandLine.arguments.dropFirst()))
    } catch {
      end(parsing: error, process)
    }
    do {
      try command.run()
      try StandardOutput.flush()
    } catch {
      end(running: error)
    }
  }

  /// Reads a command line, here and behind `launch`.
  ///
  /// - Parameter arguments: without the program's name.
  /// - Throws: what is wrong, in the words that help most; the parser's own for help and version too.
  static func parse(_ arguments: [String]) throws -> any ParsableCommand {
    try CommandNames(of: configuration).check(arguments)
    do {
      return try parseAsRoot(arguments)
    } catch  where exitCode(for: error) != .success {
      guard let command = arguments.first, let names = OptionNames(of: Self.self, subcommand: command) else {
        throw error
      }
      if let unknown = names.unknown(in: arguments.dropFirst()) {
        let advice =
          OptionNames.advice(unknown.option) ?? unknown.meant.map { "Did you mean \($0)?" }
          ?? "flotilla \(command) --help lists them."
        throw UsageError("no option \"\(printable(unknown.option, limit: 40))\". \(advice)")
      }
      let joined = [command] + names.joiningNegatives(in: arguments.dropFirst())
      guard joined != arguments else { throw error }
      return try parseAsRoot(joined)
    }
  }

  /// Every rank of a job reads the same command line: rank 0 speaks for all. The others leave with 0, since the
  /// launcher would otherwise end rank 0 before it has spoken.
  private static func end(parsing error: any Error, _ process: ProcessRank) -> Never {
    if !process.isFirst { Foundation.exit(0) }
    let text = fullMessage(for: error, columns: Terminal.standardOutput.width)
    if exitCode(for: error) == .success {
      do {
        try StandardOutput.write(text + "\n")
        try StandardOutput.flush()
      } catch {
        fail(error)
      }
      Foundation.exit(0)
    }
    StandardError.write(Failure.lowercased(text) + "\n")
    Foundation.exit(ExitStatus.usage.rawValue)
  }

  private static func end(running error: any Error) -> Never {
    if let code = error as? ExitCode { Foundation.exit(code.rawValue) }
    // Help, version, and what a command finds wrong with its options: in ArgumentParser's words.
    if [ExitCode.success, .validationFailure].contains(exitCode(for: error)) { end(parsing: error, .current) }
    // What was written before is output too.
    try? StandardOutput.flush()
    fail(error)
  }
}

import ArgumentParser
import Inference

/// Numbers separated by commas: `512,1024`.
struct NumberList: ExpressibleByArgument {
  let numbers: [Int]

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
    guard parts.allSatisfy({ $0 != nil }) else { return nil }
    numbers = parts.compactMap { $0 }
  }
}

/// What to measure, with the names of llama-bench's options.
struct BenchOptions: ParsableArguments {
  @Option(
    name: [.customShort("p"), .customLong("n-prompt")],
    help: ArgumentHelp("Prompt lengths to read; 0: none. Default: 512.", valueName: "list"))
  var prompts: [NumberList] = []

  @Option(
    name: [.customShort("n"), .customLong("n-gen")],
    help: ArgumentHelp("Numbers of tokens to generate; 0: none. Default: 128.", valueName: "list"))
  var generated: [NumberList] = []

  @Option(
    name: [.customLong("pg", withSingleDash: true)],
    help: ArgumentHelp("Read a prompt and generate, timed as one; may be repeated.", valueName: "p,n"))
  var pairs: [NumberList] = []

  @Option(
    name: [.customShort("d"), .customLong("n-depth")],
    help: ArgumentHelp("Positions that are in the cache before each test. Default: 0.", valueName: "list"))
  var depths: [NumberList] = []

  @Option(
    help: ArgumentHelp("Numbers of sequences that generate at once, for -n. Default: 1.", valueName: "list"))
  var parallel: [NumberList] = []

  @Option(name: .shortAndLong, help: "Repetitions of each test.")
  var repetitions = 5

  @Flag(inversion: .prefixedNo, help: "Run each test once before it counts.")
  var warmup = true

  @Option(name: .shortAndLong, help: "Seed of the random tokens that are read.")
  var seed: UInt64 = 0

  func validate() throws {
    try check("--repetitions", repetitions, 1...10_000)
    for (option, list, range) in [
      ("-p", prompts, 0...(1 << 24)), ("-n", generated, 0...(1 << 24)), ("-d", depths, 0...(1 << 24)),
      ("--parallel", parallel, 1...4096), ("-pg", pairs, 0...(1 << 24)),
    ] {
      for number in list.flatMap(\.numbers) { try check(option, number, range) }
    }
    if let pair = pairs.first(where: { $0.numbers.count != 2 }) {
      throw ValidationError(
        "-pg: expected two numbers P,N, found \(pair.numbers.map(String.init).joined(separator: ","))")
    }
    guard !plan.tests.isEmpty else {
      throw ValidationError("nothing to measure: give -p, -n or -pg something above 0.")
    }
  }

  var plan: BenchPlan {
    func numbers(_ lists: [NumberList], _ standard: Int) -> [Int] {
      lists.isEmpty ? [standard] : lists.flatMap(\.numbers)
    }
    return BenchPlan(
      prompts: numbers(prompts, 512), generated: numbers(generated, 128),
      pairs: pairs.map { BenchPlan.Pair(prompt: $0.numbers[0], generated: $0.numbers[1]) },
      depths: numbers(depths, 0), parallel: numbers(parallel, 1))
  }
}

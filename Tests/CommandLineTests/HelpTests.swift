import Testing

@Suite("Help")
struct HelpTests {
  /// Every command that the help of flotilla lists, and flotilla itself.
  static let commands: [[String]] = {
    let lines = (try? Run(["--help"]).lines) ?? []
    let listed = lines.drop { !$0.hasSuffix("SUBCOMMANDS:") }.compactMap { line -> [String]? in
      guard line.hasPrefix("  "), let name = line.dropFirst(2).split(separator: " ").first else { return nil }
      return line.dropFirst(2).first?.isLowercase == true ? [String(name)] : nil
    }
    return [[]] + listed
  }()

  private func examples(_ command: [String], columns: Int) throws -> [String] {
    let run = try Run(command + ["--help"], environment: ["COLUMNS": "\(columns)"])
    return Array(run.lines.drop { $0 != "EXAMPLES" }.dropFirst().prefix { !$0.isEmpty })
  }

  @Test("Examples are copied from a terminal of 80 columns as they are", arguments: commands)
  func examples(_ command: [String]) throws {
    let lines = try examples(command, columns: 400)
    #expect(lines.contains { $0.contains("flotilla") })
    #expect(lines.filter { $0.count > 76 } == [])
    #expect(try examples(command, columns: 80) == lines)
    // As in the README; without it all threads of a rank share one core.
    #expect(lines.filter { $0.contains("mpirun") && !$0.contains("--bind-to none") } == [])
  }

  @Test("All commands are looked at")
  func all() {
    #expect(Self.commands.count > 5 && Self.commands.contains(["generate"]))
  }

  @Test(
    "A word that is no command: the one that was meant, exit code 2",
    arguments: [
      (["generte", "-p", "hi"], "no command \"generte\". Did you mean generate?"),
      (["help", "inspekt"], "no command \"inspekt\". Did you mean inspect?"),
      (["gen", "-p", "hi"], "no command \"gen\". Did you mean generate?"),
      (["run", "-p", "hi"], "no command \"run\". flotilla --help lists them."),
      (["help", "bogus"], "no command \"bogus\". flotilla --help lists them."),
    ])
  func mistyped(_ arguments: [String], _ error: String) throws {
    let run = try Run(arguments)
    #expect(run.status == 2 && run.output == [])
    #expect(run.errors == "error: \(error)\n")
  }

  @Test("Help of a command, both ways")
  func both() throws {
    #expect(try Run(["help", "inspect"]).output == Run(["inspect", "--help"]).output)
  }
}

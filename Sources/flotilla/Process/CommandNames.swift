import ArgumentParser
import Reporting

/// Says what is wrong where the first argument is no command; ArgumentParser would complain about an option of the
/// command that was meant.
struct CommandNames {
  let names: [String]

  init(of configuration: CommandConfiguration) { names = configuration.subcommands.map { $0._commandName } }

  /// - Parameter arguments: without the program's name.
  /// - Throws: ``UsageError`` with the command that was probably meant.
  func check(_ arguments: [String]) throws {
    var words = arguments[...]
    if words.first == "help" { words = words.dropFirst() }
    guard let name = words.first, !name.hasPrefix("-"), !names.contains(name), name != "help" else { return }
    let advice = Spelling.nearest(to: name, among: names).map { "Did you mean \($0)?" } ?? "flotilla --help lists them."
    throw UsageError("no command \"\(printable(name, limit: 40))\". \(advice)")
  }
}

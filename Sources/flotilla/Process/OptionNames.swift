import ArgumentParser
import Foundation
import StrictJSON

/// Finds a long option that a command does not have. ArgumentParser complains about the value behind it first, which
/// it takes for an argument: `generate --promt "hi"` would be about a model called hi.
struct OptionNames {
  private struct Option {
    /// With their hyphens.
    let names: [String]
    let takesValue: Bool
    /// Whether the value may begin with a hyphen.
    let takesAnything: Bool
  }

  private let options: [Option]

  /// - Parameter name: of a subcommand; nil where the command does not have it.
  init?(of command: (some ParsableCommand).Type, subcommand name: String) {
    guard let help = try? StrictJSON.parse(command._dumpHelp()),
      let found = help["command"]?["subcommands"]?.array?.first(where: { $0["commandName"]?.string == name })
    else { return nil }
    options = (found["arguments"]?.array ?? []).map { argument in
      let names = (argument["names"]?.array ?? []).compactMap { name -> String? in
        guard let text = name["name"]?.string else { return nil }
        return (name["kind"]?.string == "long" ? "--" : "-") + text
      }
      return Option(
        names: names, takesValue: argument["kind"]?.string == "option",
        takesAnything: ["unconditional", "scanningForValue"].contains(argument["parsingStrategy"]?.string ?? ""))
    }
  }

  /// - Parameter arguments: those behind the command's name.
  /// - Returns: the first unknown option, and what was probably meant.
  func unknown(in arguments: ArraySlice<String>) -> (option: String, meant: String?)? {
    var rest = arguments
    while let argument = rest.popFirst(), argument != "--" {
      guard argument.hasPrefix("-") else { continue }
      let name = String(argument.prefix { $0 != "=" })
      if let option = options.first(where: { $0.names.contains(name) }) {
        let isJoined = name.utf8.count < argument.utf8.count
        if option.takesValue, !isJoined, option.takesAnything || rest.first?.hasPrefix("-") != true {
          _ = rest.popFirst()
        }
      } else if name.hasPrefix("--"), name.utf8.count > 2, name != "--help", name != "--version" {
        return (name, Spelling.nearest(to: name, among: options.flatMap(\.names).filter { $0.hasPrefix("--") }))
      }
    }
    return nil
  }
}

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
    for word in words(of: arguments) {
      guard word.option == nil, let name = word.name, name.hasPrefix("--") || Self.advice(name) != nil,
        name != "--help", name != "--version"
      else { continue }
      return (name, Spelling.nearest(to: name, among: options.flatMap(\.names).filter { $0.hasPrefix("--") }))
    }
    return nil
  }

  /// What to do about options of llama.cpp that mean nothing here; nil for all others.
  static func advice(_ name: String) -> String? {
    ["-ngl", "--n-gpu-layers", "--gpu-layers"].contains(name) ? "Flotilla computes on processors: leave it out." : nil
  }

  /// - Parameters:
  ///   - names: of options, each by one of its names.
  ///   - arguments: those behind the command's name.
  /// - Returns: the others.
  func removing(_ names: Set<String>, from arguments: ArraySlice<String>) -> [String] {
    let words = words(of: arguments)
    let rest = words.filter { $0.option.map { names.isDisjoint(with: $0.names) } ?? true }.flatMap(\.arguments)
    return rest + arguments.dropFirst(words.reduce(0) { $0 + $1.arguments.count })
  }

  /// Negative numbers go with the option before them, as `--temp=-1`, so that it can say what it takes: ArgumentParser
  /// takes what begins with a hyphen for another option, and misses the value.
  ///
  /// - Parameter arguments: those behind the command's name.
  func joiningNegatives(in arguments: ArraySlice<String>) -> [String] {
    let words = words(of: arguments)
    var joined: [String] = []
    var isOpen = false
    for word in words {
      if isOpen, word.arguments[0].hasPrefix("-"), Double(word.arguments[0]) != nil {
        joined[joined.count - 1] += "=" + word.arguments[0]
        isOpen = false
      } else {
        joined += word.arguments
        isOpen = word.option?.takesValue == true && word.arguments == [word.name]
      }
    }
    return joined + arguments.dropFirst(words.reduce(0) { $0 + $1.arguments.count })
  }

  /// An option with its value, or something else.
  private struct Word {
    var arguments: [String]
    /// With its hyphens; nil where it is no option.
    var name: String?
    var option: Option?
  }

  /// Up to the end of options.
  private func words(of arguments: ArraySlice<String>) -> [Word] {
    var rest = arguments
    var words: [Word] = []
    while let argument = rest.first, argument != "--" {
      rest.removeFirst()
      guard argument.hasPrefix("-"), argument != "-" else {
        words.append(Word(arguments: [argument]))
        continue
      }
      let name = String(argument.prefix { $0 != "=" })
      var word = Word(arguments: [argument], name: name, option: options.first { $0.names.contains(name) })
      if let option = word.option, option.takesValue, name.utf8.count == argument.utf8.count, let value = rest.first,
        option.takesAnything || !value.hasPrefix("-")
      {
        word.arguments.append(rest.removeFirst())
      }
      words.append(word)
    }
    return words
  }
}

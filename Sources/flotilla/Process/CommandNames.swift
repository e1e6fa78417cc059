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
    let advice = nearest(to: name).map { "Did you mean \($0)?" } ?? "flotilla --help lists them."
    throw UsageError("no command \"\(printable(name, limit: 40))\". \(advice)")
  }

  /// The command that differs least from `name`; nil where none is close.
  private func nearest(to name: String) -> String? {
    guard name.utf8.count <= 40 else { return nil }
    let near = names.map { (name: $0, distance: Self.distance(name, $0)) }.min { $0.distance < $1.distance }
    if let near, near.distance <= max(1, near.name.count / 3) { return near.name }
    return names.first { name.count >= 2 && $0.hasPrefix(name) }
  }

  /// Levenshtein: the least number of letters to put in, leave out or change.
  private static func distance(_ a: String, _ b: String) -> Int {
    let (a, b) = (Array(a.utf8), Array(b.utf8))
    var row = Array(0...b.count)
    for i in a.indices {
      var diagonal = row[0]
      row[0] = i + 1
      for j in b.indices {
        let change = diagonal + (a[i] == b[j] ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(change, row[j] + 1, row[j + 1] + 1)
      }
    }
    return row[b.count]
  }
}

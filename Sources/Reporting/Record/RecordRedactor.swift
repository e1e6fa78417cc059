import Foundation
import Nodes

/// Takes out of records of runs who ran them and where: other words for hosts, users and addresses, the same one for the
/// same word; files without their folders; of prompts the length.
public struct RecordRedactor {
  private var redactor = Redactor(keepsFileNames: true)
  private var hosts = 0

  /// - Parameter records: all that are to be shown, since one may name the hosts of another.
  public init(_ records: [RunRecord]) {
    for record in records {
      for host in [record.host] + record.ranks.map(\.host) { add(host: host) }
    }
    for record in records {
      for words in [record.command, record.launcher ?? []] { learn(from: Self.withoutTexts(words)) }
    }
    redactor.addThisMachine()
  }

  public mutating func redacted(_ record: RunRecord) -> RunRecord {
    var record = record
    record.host = text(record.host)
    for index in record.ranks.indices { record.ranks[index].host = text(record.ranks[index].host) }
    record.command = Self.withoutTexts(record.command).map { word($0) }
    record.launcher = record.launcher.map { Self.withoutTexts($0).map { word($0) } }
    record.setup.instructionSet = text(record.setup.instructionSet)
    if var parameters = record.surroundings?.mpiParameters {
      for (key, value) in parameters {
        parameters[key] = value.contains { ".:/".contains($0) } ? "…" : text(value)
      }
      record.surroundings?.mpiParameters = parameters
    }
    return record
  }

  private mutating func add(host: String) {
    guard !host.isEmpty, !redactor.knows(host: host) else { return }
    hosts += 1
    redactor.add(host: host, "host-\(hosts)")
  }

  private mutating func text(_ text: String) -> String {
    let named = redactor.redacted(text, .names)
    return redactor.redacted(named, .places)
  }

  // MARK: Command lines

  private static let hostOptions: Set = ["--host", "-host", "-H", "--hosts"]
  /// The option of ssh for who logs in.
  private static let userOption = "-l"

  /// Names that nothing but a command line tells: hosts on which no rank ran, and users.
  private mutating func learn(from words: [String]) {
    var option = ""
    // Words for ssh may stand in one word of ours.
    for word in words.flatMap({ $0.split(whereSeparator: \.isWhitespace).map(String.init) }) {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      let isJoined = parts.count == 2 && Self.hostOptions.contains(parts[0])
      if isJoined || Self.hostOptions.contains(option) { addNodes(isJoined ? parts[1] : word) }
      if option == Self.userOption { redactor.add(user: word) }
      for match in word.matches(of: /([\w.\-]+)@([\w.\-]+)/) {
        redactor.add(user: String(match.1))
        add(host: String(match.2))
      }
      option = word
    }
  }

  /// "a,alice@b:2"
  private mutating func addNodes(_ list: String) {
    for node in list.split(separator: ",") {
      let name = node.split(separator: "@").last ?? node
      add(host: String(name.prefix { $0 != ":" }))
    }
  }

  /// "-x" of mpirun, glued to what it sets or with an equals sign behind it, and the like: the name stays. Environment
  /// variables hold tokens and passwords.
  private static func withoutVariables(_ word: String) -> String {
    guard let match = word.wholeMatch(of: /((?:-{1,2}x=?|--export=)?[A-Za-z_][A-Za-z0-9_]*=).*/.dotMatchesNewlines())
    else { return word }
    return match.1 + "…"
  }

  /// An option keeps its name, whatever its value.
  private mutating func word(_ word: String) -> String {
    let plain = Self.withoutVariables(word)
    guard plain == word else { return plain }
    guard let equals = word.firstIndex(of: "="),
      word[..<equals].allSatisfy({ $0.isLetter || $0.isNumber || "-_".contains($0) })
    else { return value(word) }
    return word[...equals] + value(String(word[word.index(after: equals)...]))
  }

  /// What has slashes and no spaces is a path, from the root or not.
  private mutating func value(_ text: String) -> String {
    guard text.contains("/"), !text.contains(where: \.isWhitespace) else { return self.text(text) }
    return "…/" + self.text(text.split(separator: "/").last.map(String.init) ?? "")
  }

  private static let textOptions = ["-p", "--prompt", "--system", "--stop"]

  /// What people ask is theirs: of prompts and the like only the length stays.
  private static func withoutTexts(_ words: [String]) -> [String] {
    // Elsewhere -p is a number.
    guard let command = words.firstIndex(where: { $0 == "generate" || $0 == "chat" }) else { return words }
    var words = words
    var isText = false
    for index in words.indices.dropFirst(command + 1) {
      let word = words[index]
      if isText {
        words[index] = length(word)
        isText = false
      } else if let option = textOptions.first(where: { word.hasPrefix($0 + "=") }) {
        words[index] = option + "=" + length(String(word.dropFirst(option.count + 1)))
      } else {
        // Or short options in one word, of which the last one takes it: -qp.
        isText = textOptions.contains(word) || word.wholeMatch(of: /-[A-Za-z]+p/) != nil
      }
    }
    return words
  }

  private static func length(_ text: String) -> String {
    "…(\(text.count) character\(text.count == 1 ? "" : "s"))"
  }
}

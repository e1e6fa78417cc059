import Foundation
import Nodes
import StrictJSON

/// Puts made-up words in the place of host names, addresses, user names and paths, the same one for the same word, so
/// that a report can be shown to strangers and still be understood.
///
/// Names first, before anything is judged: findings then speak of nodes by their new names, and no word of theirs is
/// taken for a host that happens to be called so. Addresses and paths last, since judging needs them.
public struct Redactor {
  public enum Stage: Sendable { case names, places }

  private var stage = Stage.names
  private var hosts: [String: String] = [:]
  private var users: [String: String] = [:]
  private var addresses: [String: String] = [:]
  private var paths: [String: String] = [:]

  public init(_ examination: Examination, user: String = NSUserName()) {
    for (index, node) in examination.nodes.enumerated() {
      let parts = node.name.split(separator: "@").map(String.init)
      if parts.count == 2 { name(user: parts[0]) }
      let names = [NodeName.host(node.name), node.facts?.hostName, node.shell?.hostName].compactMap(\.self)
      for name in names {
        add(host: name, "node-\(index + 1)")
        if let short = name.split(separator: ".").first { add(host: String(short), "node-\(index + 1)") }
      }
    }
    add(host: ProcessInfo.processInfo.hostName, "here")
    // Words of reports themselves.
    if !["", "root"].contains(user) { name(user: user) }
  }

  private mutating func add(host: String, _ alias: String) {
    guard hosts[host] == nil, Self.octets(host) == nil, host != "localhost" else { return }
    hosts[host] = alias
  }

  private mutating func name(user: String) { users[user] = users[user] ?? "user-\(users.count + 1)" }

  /// The same value with other words in its texts.
  public mutating func redacted<Value: Codable>(_ value: Value, _ stage: Stage) throws -> Value {
    self.stage = stage
    let encoder = JSONEncoder()
    // The same order every time gives the same words every time.
    encoder.outputFormatting = .sortedKeys
    let json = redacted(try StrictJSON.parse(encoder.encode(value)))
    return try JSONDecoder().decode(Value.self, from: Data(CompactJSON.text(json).utf8))
  }

  /// A text word by word.
  public mutating func redacted(_ text: String, _ stage: Stage) -> String {
    self.stage = stage
    return redacted(text)
  }

  private mutating func redacted(_ value: JSONValue) -> JSONValue {
    switch value {
    case .string(let string): return .string(JSONString(redacted(string.text)))
    case .array(let items):
      var result: [JSONValue] = []
      for item in items { result.append(redacted(item)) }
      return .array(result)
    case .object(let object):
      var members: [JSONObject.Member] = []
      for member in object.members { members.append((member.key, redacted(member.value))) }
      // As many keys as before, none twice.
      return .object(JSONObject(members)!)
    default: return value
    }
  }

  private mutating func redacted(_ text: String) -> String {
    var result = ""
    var word = ""
    for character in text {
      if Self.isWord(character) {
        word.append(character)
      } else {
        result += alias(word) + String(character)
        word = ""
      }
    }
    return result + alias(word)
  }

  private static func isWord(_ character: Character) -> Bool {
    character.isLetter || character.isNumber || "._-/:".contains(character)
  }

  private mutating func alias(_ word: String) -> String {
    guard !word.isEmpty else { return word }
    // What stands behind a word does not belong to it.
    if let last = word.last, ".:".contains(last) { return alias(String(word.dropLast())) + String(last) }
    return stage == .names ? name(word) : place(word)
  }

  private func name(_ word: String) -> String {
    if let alias = hosts[word] ?? users[word] { return alias }
    for separator in ["/", ":"] as [Character] {
      let parts = word.split(separator: separator, maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      if parts.count == 2, !parts[0].isEmpty, let alias = hosts[parts[0]] ?? users[parts[0]] {
        return alias + String(separator) + name(parts[1])
      }
    }
    return word
  }

  private mutating func place(_ word: String) -> String {
    if word.hasPrefix("/") { return path(word) }
    for separator in ["/", ":"] as [Character] {
      let parts = word.split(separator: separator, maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      if parts.count == 2, Self.octets(parts[0]) != nil { return place(parts[0]) + String(separator) + place(parts[1]) }
    }
    if let octets = Self.octets(word) { return address(word, isOwn: octets[0] == 127) }
    let colons = word.count { $0 == ":" }
    if colons >= 2, word != "::1", word.allSatisfy({ $0.isHexDigit || ":/".contains($0) }) {
      let parts = word.split(separator: "/", maxSplits: 1).map(String.init)
      return address(parts[0], isOwn: parts[0] == "::1") + (parts.count > 1 ? "/\(parts[1])" : "")
    }
    return word
  }

  private mutating func address(_ word: String, isOwn: Bool) -> String {
    // Everybody has these.
    guard !isOwn else { return word }
    let alias = addresses[word] ?? "address-\(addresses.count + 1)"
    addresses[word] = alias
    return alias
  }

  private mutating func path(_ word: String) -> String {
    let common = ["/proc", "/sys", "/dev", "/etc", "/usr/bin", "/bin", "/usr/lib", "/lib"]
    guard word.count > 1, !common.contains(where: { word == $0 || word.hasPrefix($0 + "/") }) else { return word }
    let alias = paths[word] ?? "/path-\(paths.count + 1)"
    paths[word] = alias
    return alias
  }

  private static func octets(_ word: String) -> [UInt8]? {
    let parts = word.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
    return parts.count == 4 && !parts.contains(nil) ? parts.compactMap(\.self) : nil
  }
}

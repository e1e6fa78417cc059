import Foundation
import StrictJSON

/// Puts made-up words in the place of host names, addresses, user names and paths, the same one for the same word, so
/// that a report can be shown to strangers and still be understood.
///
/// Names first, addresses and paths last: whoever judges a report needs those, and does it in between.
package struct Redactor {
  package enum Stage: Sendable { case names, places }

  private var stage = Stage.names
  private var hosts: [String: String] = [:]
  private var users: [String: String] = [:]
  private var addresses: [String: String] = [:]
  private var paths: [String: String] = [:]

  /// Whether a path's last part stays, behind "…/".
  private let keepsFileNames: Bool

  package init(keepsFileNames: Bool = false) { self.keepsFileNames = keepsFileNames }

  /// Whoever runs this, and where; after all others.
  ///
  /// - Parameter user: one of "root" is nobody in particular, and a word of reports themselves.
  package mutating func addThisMachine(user: String = NSUserName()) {
    add(host: ProcessInfo.processInfo.hostName, "here")
    if user != "root" { add(user: user) }
  }

  /// A host with the word for it, also where a text has its name without the domain. The first word counts; an address
  /// is none.
  package mutating func add(host: String, _ alias: String) {
    for name in [host, host.split(separator: ".").first.map(String.init) ?? ""] {
      guard !name.isEmpty, hosts[name] == nil, Self.octets(host) == nil, name != "localhost" else { continue }
      hosts[name] = alias
    }
  }

  package func knows(host: String) -> Bool { hosts[host] != nil }

  package mutating func add(user: String) {
    guard !user.isEmpty, users[user] == nil else { return }
    users[user] = "user-\(users.count + 1)"
  }

  /// The same value with other words in its texts.
  package mutating func redacted<Value: Codable>(_ value: Value, _ stage: Stage) throws -> Value {
    self.stage = stage
    let encoder = JSONEncoder()
    // The same order every time gives the same words every time.
    encoder.outputFormatting = .sortedKeys
    let json = redacted(try StrictJSON.parse(encoder.encode(value)))
    return try JSONDecoder().decode(Value.self, from: Data(CompactJSON.text(json).utf8))
  }

  /// A text word by word.
  package mutating func redacted(_ text: String, _ stage: Stage) -> String {
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
    if keepsFileNames { return "…/" + name(word.split(separator: "/").last.map(String.init) ?? "") }
    let alias = paths[word] ?? "/path-\(paths.count + 1)"
    paths[word] = alias
    return alias
  }

  private static func octets(_ word: String) -> [UInt8]? {
    let parts = word.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
    return parts.count == 4 && !parts.contains(nil) ? parts.compactMap(\.self) : nil
  }
}

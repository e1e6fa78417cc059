/// What all ranks must have in common, as named values, and who is speaking.
public struct Agreement: Codable, Sendable, Equatable {
  /// One thing that must be the same everywhere.
  public struct Entry: Codable, Sendable, Equatable {
    /// "checkpoint", "placement", …
    public var name: String
    public var value: String
    /// What a person can do where it differs.
    public var hint: String

    public init(_ name: String, _ value: String, hint: String) {
      self.name = name
      self.value = value
      self.hint = hint
    }
  }

  /// In the order in which they are compared: the most telling first.
  public var entries: [Entry]
  public var host: String
  public var process: Int32
  public var threads: Int
  /// Why this rank cannot take part at all, with what a person can do about it; nil where it can.
  public var failure: String?
  /// What this rank would need to take part and has not, in words.
  public var lacks: [String]
  /// May differ: all instruction sets give the same bits.
  public var instructionSet: String

  public init(
    _ entries: [Entry], host: String, process: Int32, threads: Int, instructionSet: String = "",
    failure: String? = nil, lacks: [String] = []
  ) {
    self.entries = entries
    self.host = host
    self.process = process
    self.threads = threads
    self.instructionSet = instructionSet
    self.failure = failure.map { String($0.prefix(4000)) }
    self.lacks = lacks
  }

  /// The first thing in which another rank differs, in words. Nil where there is none.
  func difference(to other: Agreement) -> String? {
    for entry in entries {
      guard let theirs = other.entries.first(where: { $0.name == entry.name }) else {
        return Self.text(entry.name, expected: entry.value, found: "nothing", hint: entry.hint)
      }
      if Array(theirs.value.utf8) != Array(entry.value.utf8) {
        return Self.text(entry.name, expected: entry.value, found: theirs.value, hint: entry.hint)
      }
    }
    guard let more = other.entries.first(where: { theirs in !entries.contains { $0.name == theirs.name } })
    else { return nil }
    return Self.text(more.name, expected: "nothing", found: more.value, hint: more.hint)
  }

  private static func text(_ name: String, expected: String, found: String, hint: String) -> String {
    "\(name.prefix(100)): expected \(expected.prefix(200)), found \(found.prefix(200))"
      + (hint.isEmpty ? "" : " (\(hint.prefix(300)))")
  }
}

/// The first line on each connection to a launcher: who comes, and for what.
struct Greeting: Equatable {
  /// What a connection carries.
  enum Purpose: String {
    /// ``LauncherMessage`` one way and ``CoordinatorMessage`` the other.
    case control
    /// What the coordinator writes to standard output, to standard error, or to both where they are one screen; then
    /// standard output is in ``ScreenFrame``s.
    case output, errors, screen
    /// Standard input, to the coordinator.
    case input
    /// The journal so far, to the coordinator, up to the end of that way; what follows it, the other way.
    case journal
  }

  let secret: String
  let purpose: Purpose

  static let mostBytes = 128
  private static let mark = "FLOTILLA"

  init(secret: String, purpose: Purpose) {
    self.secret = secret
    self.purpose = purpose
  }

  /// - Parameter line: without its line feed.
  init?(line: some Sequence<UInt8>) {
    let words = String(decoding: Array(line), as: UTF8.self).split(separator: " ", omittingEmptySubsequences: false)
    guard words.count == 3, words[0] == Self.mark, let purpose = Purpose(rawValue: String(words[2])) else { return nil }
    self.init(secret: String(words[1]), purpose: purpose)
  }

  var bytes: [UInt8] { Array("\(Self.mark) \(secret) \(purpose.rawValue)\n".utf8) }
}

import Foundation

/// The folder on the nodes, as `--to` gives it.
public struct PushDestination: Sendable, Equatable {
  /// Absolute, or from the login folder; no slash at its end.
  public let path: String

  /// - Throws: ``PushError`` where a shell or rsync would take it for something else.
  public init(_ text: String) throws(PushError) {
    func wrong(_ hint: String) -> PushError {
      PushError("--to: expected a folder for the model, found \"\(text)\"", hint: hint, isUsage: true)
    }
    // The login folder is where a relative one begins.
    var path = text.hasPrefix("~/") ? String(text.dropFirst(2)) : text
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    guard !path.isEmpty, path != "/" else { throw wrong("give it a folder of its own") }
    guard !path.hasPrefix("~") else { throw wrong("~/ is the login folder; others are given by their path") }
    guard !path.contains(where: { "*?[\\\0\n\r".contains($0) }) else {
      throw wrong("rsync would look for folders that match it: leave out * ? [ and \\")
    }
    self.path = path
  }
}

import Foundation

/// Programs that tests write.
public enum Executable {
  /// Writes a program. This process never has it open for writing: a child that another test starts at that moment would
  /// have it open too, and the system starts no such file ("Text file busy").
  ///
  /// - Returns: its path.
  @discardableResult
  public static func write(_ bytes: Data, to path: String) throws -> String {
    let draft = path + ".draft"
    try bytes.write(to: URL(filePath: draft))
    defer { try? FileManager.default.removeItem(atPath: draft) }
    let (status, text) = try Shell.run(["install", "-m", "755", draft, path])
    guard status == 0 else { throw Failure(description: "install \(path): \(text)") }
    return path
  }

  /// The same of a script.
  @discardableResult
  public static func write(_ script: String, to path: String) throws -> String {
    try write(Data(script.utf8), to: path)
  }

  /// The same program as one that is there, with other bytes behind its own.
  @discardableResult
  public static func writeOther(than program: URL, to path: String) throws -> String {
    try write(Data(contentsOf: program) + [0], to: path)
  }

  struct Failure: Error, CustomStringConvertible { let description: String }
}

import Checkpoint
import Foundation

/// The running program's file.
public enum OwnProgram {
  private static let link = "/proc/self/exe"

  /// Absolute; nil where the system does not tell.
  public static var path: String? { try? FileManager.default.destinationOfSymbolicLink(atPath: link) }

  /// What a person here types to start it: its name where the PATH leads to this very file, else its path.
  public static func typed(
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> String? {
    guard let path else { return nil }
    let name = (path as NSString).lastPathComponent
    for folder in (environment["PATH"] ?? "").split(separator: ":") where folder.hasPrefix("/") {
      let file = "\(folder)/\(name)"
      guard access(file, X_OK) == 0 else { continue }
      return URL(filePath: file).resolvingSymlinksInPath().path(percentEncoded: false) == path ? name : path
    }
    return path
  }

  /// SHA-256 in hexadecimal; nil where it cannot be read.
  public static var hash: String? { (try? Digest(contentsOf: URL(filePath: link)))?.description }

  /// The commit that it was built from, in hexadecimal, with a plus where the sources had changes; nil where `Scripts/stamp`
  /// has not written it beside the program, or beside another one.
  ///
  /// - Parameter hash: of the program.
  public static func commit(hash: String?) -> String? {
    path.flatMap { commit(stamp: FileManager.default.contents(atPath: $0 + ".commit") ?? Data(), hash: hash) }
  }

  package static func commit(stamp: Data, hash: String?) -> String? {
    guard stamp.count <= 256, let text = String(data: stamp, encoding: .utf8) else { return nil }
    let words = text.split { $0.isWhitespace }
    guard words.count == 2, let hash, words[1] == hash else { return nil }
    let digits = words[0].hasSuffix("+") ? words[0].dropLast() : words[0]
    guard 7...64 ~= digits.count, digits.allSatisfy({ $0.isASCII && $0.isHexDigit }) else { return nil }
    return String(words[0])
  }
}

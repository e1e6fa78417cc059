import Foundation

/// Files of this process.
public enum ProcessStorage {
  /// Bytes that came from storage since it started, mapped files included: what the page cache had does not count. Nil
  /// where the system does not tell.
  ///
  /// - Parameter root: of the file system; tests pass their own.
  public static func bytesRead(root: String = "") -> Int? {
    guard let text = try? String(contentsOfFile: root + "/proc/self/io", encoding: .utf8) else { return nil }
    let line = text.split(separator: "\n").first { $0.hasPrefix("read_bytes:") }
    return line.flatMap { Int($0.dropFirst("read_bytes:".count).trimmingCharacters(in: .whitespaces)) }
  }
}

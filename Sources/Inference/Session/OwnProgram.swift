import Checkpoint
import Foundation

/// The running program's file.
public enum OwnProgram {
  private static let link = "/proc/self/exe"

  /// Absolute; nil where the system does not tell.
  public static var path: String? { try? FileManager.default.destinationOfSymbolicLink(atPath: link) }

  /// SHA-256 in hexadecimal; nil where it cannot be read.
  public static var hash: String? { (try? Digest(contentsOf: URL(filePath: link)))?.description }
}

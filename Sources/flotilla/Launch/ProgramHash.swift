import Checkpoint
import Foundation

/// SHA-256 of a program's file.
enum ProgramHash {
  /// In hexadecimal.
  static func ofFile(_ path: String) throws -> String {
    let data = try Data(contentsOf: URL(filePath: path), options: .mappedIfSafe)
    return data.withUnsafeBytes { Digest(of: $0) }.description
  }
}

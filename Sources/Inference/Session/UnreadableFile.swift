import Foundation

/// Why a file could not be read, in words for messages.
public enum UnreadableFile {
  /// What is at the path instead of a file to read.
  public static func found(at path: String) -> String {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { return "nothing there" }
    return isFolder.boolValue ? "a folder" : "one that cannot be read"
  }
}

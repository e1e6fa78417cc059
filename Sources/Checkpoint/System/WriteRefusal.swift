import Foundation

/// Why the system does not take a file, and what a person can do about it.
package struct WriteRefusal: Sendable, Equatable {
  /// In the system's words.
  package let found: String
  /// Whether the disk has no room.
  package let isFull: Bool
  /// Whether the path is wrong: trying again will not help.
  package let isOfPath: Bool

  /// - Parameter code: the system's error number.
  package init(_ code: Int32) {
    found = String(cString: strerror(code))
    isFull = code == ENOSPC || code == EDQUOT
    isOfPath = [ENOENT, ENOTDIR, EISDIR, EACCES, ENAMETOOLONG].contains(code)
  }

  /// - Parameter error: of Foundation.
  package init(_ error: CocoaError) {
    found = error.code == .fileWriteOutOfSpace ? String(cString: strerror(ENOSPC)) : error.localizedDescription
    isFull = error.code == .fileWriteOutOfSpace
    let ofPath: [CocoaError.Code] = [
      .fileNoSuchFile, .fileReadNoSuchFile, .fileWriteNoPermission, .fileReadNoPermission, .fileWriteInvalidFileName,
      .fileWriteFileExists,
    ]
    isOfPath = ofPath.contains(error.code)
  }

  /// What helps against a full disk, before what else is to be said.
  package static let room = "The disk is full: free some of it"

  /// - Parameter other: what helps where it is not the disk.
  package func hint(else other: String) -> String { isFull ? Self.room : other }
}

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
    isOfPath = [ENOENT, ENOTDIR, EISDIR, EACCES, EPERM, EEXIST, EROFS, ENAMETOOLONG].contains(code)
  }

  /// - Parameter error: of Foundation.
  package init(_ error: CocoaError) { self.init(Self.systemCode(error)) }

  /// What the system said, where Foundation has words of its own.
  private static func systemCode(_ error: CocoaError) -> Int32 {
    if let code = (error.underlying as? POSIXError)?.code.rawValue { return code }
    return switch error.code {
    case .fileWriteOutOfSpace: ENOSPC
    case .fileNoSuchFile, .fileReadNoSuchFile: ENOENT
    case .fileWriteNoPermission, .fileReadNoPermission: EACCES
    case .fileWriteInvalidFileName: ENAMETOOLONG
    case .fileWriteFileExists: EEXIST
    case .fileWriteVolumeReadOnly: EROFS
    default: EIO
    }
  }

  /// What helps against a full disk, before what else is to be said.
  package static let room = "The disk is full: free some of it"

  /// - Parameter other: what helps where it is not the disk.
  package func hint(else other: String) -> String { isFull ? Self.room : other }
}

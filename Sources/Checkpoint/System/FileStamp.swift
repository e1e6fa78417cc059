import Foundation
import StrictJSON

/// What tells whether a file was changed or replaced: everything that the system knows without reading it.
public struct FileStamp: Sendable, Equatable {
  /// As its checkpoint calls the file.
  public let name: String
  public let bytes: Int
  /// Nanoseconds since 1970.
  public let modified: Int
  public let inode: Int

  init(name: String, _ status: stat) {
    self.name = name
    bytes = Int(status.st_size)
    modified = Int(status.st_mtim.tv_sec) * 1_000_000_000 + Int(status.st_mtim.tv_nsec)
    inode = Int(truncatingIfNeeded: status.st_ino) & Int.max
  }

  init(_ fields: Fields) throws {
    try fields.refuseOthers(["name", "bytes", "modified", "inode"])
    name = try fields.text("name", most: 1000)
    bytes = try fields.integer("bytes", 0...Int.max)
    modified = try fields.integer("modified", Int.min...Int.max)
    inode = try fields.integer("inode", 0...Int.max)
  }

  var json: JSONValue {
    .members(["name": .text(name), "bytes": .int(bytes), "modified": .int(modified), "inode": .int(inode)])
  }
}

extension Checkpoint {
  /// The files that hold the weights, as they were when they were opened.
  public var sourceFiles: [FileStamp] { store.mappedFiles.map(\.stamp).sorted { $0.name < $1.name } }

  /// - Throws: ``CheckpointError`` where a file is no longer what was opened.
  public func requireUnchanged() throws {
    for file in store.mappedFiles where !file.isUnchanged {
      throw CheckpointError(
        file: file.name, subject: "file", expected: "what it was when the work began", found: "a changed file",
        hint: "Begin anew with --force when nothing writes to the checkpoint any more.")
    }
  }
}

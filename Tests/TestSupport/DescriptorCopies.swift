import Foundation

/// Copies of all descriptors that this process has of a file, as a child has them until its program begins. They are
/// closed at the end.
public final class DescriptorCopies {
  private let copies: [Int32]

  public var count: Int { copies.count }

  public init(of path: String) throws {
    let folder = "/proc/self/fd"
    let file = URL(filePath: path).resolvingSymlinksInPath().path(percentEncoded: false)
    // All of them first: a copy may take a number that the listing had for itself.
    let originals = try FileManager.default.contentsOfDirectory(atPath: folder).filter {
      (try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\($0)")) == file
    }
    copies = originals.compactMap { Int32($0) }.map { fcntl($0, F_DUPFD_CLOEXEC, 0) }
  }

  deinit { for copy in copies { close(copy) } }
}

import Foundation
import Inference
import Kernels

/// The way of a journal's lines to the launcher, which keeps them.
final class LinkedJournal: JournalSink {
  private let path: String
  private let descriptor: Int32

  /// - Parameters:
  ///   - path: for errors.
  ///   - descriptor: closed at the end.
  init(path: String, descriptor: Int32) { (self.path, self.descriptor) = (path, descriptor) }

  deinit { close(descriptor) }

  func begin(_ bytes: [UInt8]) throws { try append(bytes) }

  func append(_ bytes: [UInt8]) throws(JournalError) {
    let code = Descriptor.write(bytes, to: descriptor)
    if code != 0 {
      throw .system(path, "hand lines to the launcher for", code, hint: "The launcher, or the way to it, is gone.")
    }
  }

  /// The launcher brings them to the disk.
  func flush() throws(JournalError) {}
}

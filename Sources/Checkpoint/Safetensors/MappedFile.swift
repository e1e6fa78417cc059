import Foundation
import Kernels

/// A file mapped read-only into memory. Opening it touches none of its pages.
final class MappedFile: @unchecked Sendable {
  let name: String
  let bytes: UnsafeRawBufferPointer
  /// As the file was when it was opened.
  let stamp: FileStamp
  private let url: URL

  /// - Throws: ``CheckpointError`` where the file is absent, no plain file, or cannot be read.
  init(_ url: URL, name: String) throws {
    self.name = name
    self.url = url
    let descriptor = open(url.path(percentEncoded: false), O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      throw MappedFile.failure(name, errno)
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw MappedFile.failure(name, errno) }
    stamp = FileStamp(name: name, status)
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw CheckpointError(
        file: name, subject: "file", expected: "a plain file", found: "a folder or a device",
        hint: "Check what the name leads to; links are followed.")
    }
    let size = Int(status.st_size)
    guard size > 0 else {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    guard let address = mmap(nil, size, PROT_READ, MAP_SHARED, descriptor, 0), address != MAP_FAILED else {
      throw MappedFile.failure(name, errno)
    }
    bytes = UnsafeRawBufferPointer(start: address, count: size)
    MappedMemory.watch(bytes, path: url.standardizedFileURL.path(percentEncoded: false))
  }

  /// Memory that is mapped already and unmapped with this.
  init(name: String, mapped bytes: UnsafeRawBufferPointer) {
    self.name = name
    self.bytes = bytes
    url = URL(filePath: "/dev/null")
    stamp = FileStamp(name: name, stat())
  }

  deinit {
    MappedMemory.forget(bytes)
    if let address = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: address), bytes.count) }
  }

  /// Whether the file is still the one that was opened, and as it was.
  var isUnchanged: Bool {
    var status = stat()
    return stat(url.path(percentEncoded: false), &status) == 0 && FileStamp(name: name, status) == stamp
  }

  /// Gives the pages that lie wholly inside `range` back to the system; reading them again reads the file.
  func release(_ range: Range<Int>) {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let low = (range.lowerBound + page - 1) / page * page
    let high = (range.upperBound == bytes.count ? bytes.count + page - 1 : range.upperBound) / page * page
    guard let address = bytes.baseAddress, high > low else { return }
    madvise(UnsafeMutableRawPointer(mutating: address + low), high - low, MADV_DONTNEED)
  }

  /// Runs `body`, which touches a few pages here and there: the system reads these alone, not megabytes around each.
  func touchingFew<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    guard let address = bytes.baseAddress else { return try body(bytes) }
    let start = UnsafeMutableRawPointer(mutating: address)
    madvise(start, bytes.count, MADV_RANDOM)
    defer { madvise(start, bytes.count, MADV_NORMAL) }
    return try body(bytes)
  }

  /// Asks the system to read the pages of `range`, without waiting for them.
  func fetchAhead(_ range: Range<Int>) {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let low = range.lowerBound / page * page
    guard let address = bytes.baseAddress, range.upperBound > low else { return }
    madvise(UnsafeMutableRawPointer(mutating: address + low), range.upperBound - low, MADV_WILLNEED)
  }

  private static func failure(_ name: String, _ code: Int32) -> CheckpointError {
    let reason = String(cString: strerror(code))
    let hint =
      switch code {
      case ENOENT: "The download is incomplete, or a link leads nowhere: fetch the checkpoint again."
      case EACCES, EPERM: "Check the permissions of the file and of the folders above it."
      case ENOMEM:
        "The file is mapped as a whole: raise the limit of address space (ulimit -v), or vm.max_map_count where a "
          + "model has very many files."
      case EMFILE, ENFILE: "Too many files are open: raise the limit (ulimit -n)."
      default: "Check the file and the disk that it lies on."
      }
    return CheckpointError(file: name, subject: "file", expected: "a readable file", found: reason, hint: hint)
  }
}

import Foundation
import Kernels

extension MappedFile {
  /// Memory that repeats one stretch as often as is asked for and takes up the room of one.
  ///
  /// - Parameters:
  ///   - period: the stretch's bytes, whole pages.
  ///   - bytes: of the whole, rounded up to whole periods.
  ///   - fill: writes the stretch.
  /// - Throws: ``CheckpointError`` where the system refuses.
  static func repeating(
    name: String, period: Int, bytes: Int, fill: (UnsafeMutableRawBufferPointer) -> Void
  ) throws -> MappedFile {
    func failure(_ what: String) -> CheckpointError {
      CheckpointError(
        file: name, subject: what, expected: "\(period) bytes of it", found: String(cString: strerror(errno)),
        hint: "Phantom weights need room in the folder for temporary files, and address space (ulimit -v).")
    }
    guard let descriptor = Descriptor.temporaryFile() else { throw failure("temporary file") }
    defer { close(descriptor) }
    guard ftruncate(descriptor, off_t(period)) == 0 else { throw failure("temporary file") }
    let whole = (max(bytes, 1) + period - 1) / period * period
    guard let start = mmap(nil, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0),
      start != MAP_FAILED
    else { throw failure("address space") }
    for offset in stride(from: 0, to: whole, by: period) {
      let part = mmap(start + offset, period, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, descriptor, 0)
      guard part != MAP_FAILED else {
        let error = failure("memory")
        munmap(start, whole)
        throw error
      }
    }
    fill(UnsafeMutableRawBufferPointer(start: start, count: period))
    return MappedFile(name: name, mapped: UnsafeRawBufferPointer(start: start, count: whole))
  }
}

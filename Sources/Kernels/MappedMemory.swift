import CKernels

/// Files in memory. Reading one that was cut short meanwhile, or that its disk does not give, raises a signal; for
/// files that are known here it becomes an error that names the file and ends the process.
public enum MappedMemory {
  /// - Parameter path: for the error.
  public static func watch(_ bytes: UnsafeRawBufferPointer, path: String) {
    guard let start = bytes.baseAddress else { return }
    _ = fk_watch_mapping(start, bytes.count, path)
  }

  /// Before it is unmapped.
  public static func forget(_ bytes: UnsafeRawBufferPointer) {
    if let start = bytes.baseAddress { fk_forget_mapping(start) }
  }

  /// - Parameter name: what errors put before the path, as "rank 1 on host n1: ".
  public static func nameProcess(_ name: String) { fk_name_process(name) }
}

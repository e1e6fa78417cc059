/// The tensors of a checkpoint under their official names, whatever kind of file they lie in.
protocol TensorStore: Sendable {
  var tensors: [String: TensorInfo] { get }
  /// One of ``tensors``.
  func info(_ name: String) -> TensorInfo?
  var fileCount: Int { get }
  /// Bytes of all tensors as stored.
  var tensorBytes: Int { get }
  var mappedFiles: [MappedFile] { get }
  /// SHA-256 of every file's header.
  var headerHashes: [[UInt8]] { get }

  /// Bytes of a tensor as stored, with those of its scales.
  func storedBytes(_ tensor: TensorInfo) -> Int

  /// A 2-D tensor, which is one of ``tensors``.
  func matrix(_ tensor: TensorInfo) throws -> TensorSource

  /// The data of a 1-D tensor, which is one of ``tensors``.
  func vector(_ tensor: TensorInfo) throws -> TensorSource.MappedRange
}

extension TensorStore {
  func info(_ name: String) -> TensorInfo? { tensors[name] }
}

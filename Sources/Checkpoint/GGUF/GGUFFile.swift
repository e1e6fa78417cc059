import Foundation

/// A GGUF file, mapped, its header checked. Opening reads the header and no data.
public final class GGUFFile: Sendable {
  public let name: String
  public let header: GGUFHeader
  let map: MappedFile

  /// - Parameter name: what errors call the file.
  /// - Throws: ``CheckpointError``.
  public init(_ url: URL, name: String? = nil) throws {
    self.name = name ?? url.lastPathComponent
    map = try MappedFile(url, name: self.name)
    header = try GGUFHeader(map.bytes, file: self.name)
  }

  /// The tensor's bytes in mapped memory; valid as long as this object.
  public func bytes(of tensor: GGUFTensor) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: map.bytes[tensor.byteRange])
  }

  /// Everything before the data.
  var headerBytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: map.bytes.prefix(header.dataStart)) }

  /// Whether a file begins as GGUF files do.
  ///
  /// - Throws: ``CheckpointError`` where it cannot be read.
  static func isGGUF(_ url: URL) throws -> Bool {
    let map = try MappedFile(url, name: url.lastPathComponent)
    return withExtendedLifetime(map) { map.bytes.prefix(4).elementsEqual(GGUFHeader.magic) }
  }
}

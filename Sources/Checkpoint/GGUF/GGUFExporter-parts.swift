import Foundation

// Exports in several files, as llama.cpp's gguf-split cuts them.
extension GGUFExporter {
  /// Bytes of a tensor in the file.
  static func bytes(_ tensor: GGUFLayout.Tensor, _ type: GGMLType) -> Int {
    (type.bytes(columns: tensor.dimensions[0]) ?? 0) * tensor.rows
  }

  static func declarations(_ tensors: ArraySlice<(plan: GGUFLayout.Tensor, type: GGMLType)>) -> [GGUFWriter.Declaration]
  {
    tensors.map { .init($0.plan.name, $0.type, $0.plan.dimensions) }
  }

  /// Cuts where another tensor would make a part larger than `most`.
  ///
  /// - Throws: ``CheckpointError`` where these are more parts than the format can count.
  static func parts(_ sizes: [Int], _ most: Int?) throws -> [Range<Int>] {
    guard let most else { return [0..<sizes.count] }
    var parts: [Range<Int>] = []
    var (start, bytes) = (0, 0)
    for (index, size) in sizes.enumerated() {
      if index > start, bytes + size > most {
        parts.append(start..<index)
        (start, bytes) = (index, 0)
      }
      bytes += size
    }
    parts.append(start..<sizes.count)
    guard parts.count <= GGUFPartName.most else {
      throw CheckpointError(
        file: "GGUF", subject: "parts", expected: "at most \(GGUFPartName.most)", found: "\(parts.count)",
        hint: "Allow larger files.")
    }
    return parts
  }

  /// The first part has everything, the others only their place; a single file says nothing of parts.
  static func metadata(
    _ metadata: GGUFMetadata, part: Int, _ parts: [Range<Int>], _ tensorCount: Int
  ) -> GGUFMetadata {
    guard parts.count > 1 else { return metadata }
    var result = part == 0 ? metadata : GGUFMetadata()
    _ = result.append(GGUFKeys.splitNumber, .uint16(UInt16(part)))
    _ = result.append(GGUFKeys.splitCount, .uint16(UInt16(parts.count)))
    _ = result.append(GGUFKeys.splitTensors, .int32(Int32(tensorCount)))
    return result
  }

  /// Names of the files: the given one, or `NAME-00001-of-00009.gguf` and so on.
  func urls(_ url: URL) -> [URL] {
    guard fileCount > 1 else { return [url] }
    var prefix = url.lastPathComponent
    if prefix.hasSuffix(".gguf") { prefix.removeLast(5) }
    return (1...fileCount).map {
      url.deletingLastPathComponent().appending(
        path: GGUFPartName(prefix: prefix, number: $0, count: fileCount).text)
    }
  }
}

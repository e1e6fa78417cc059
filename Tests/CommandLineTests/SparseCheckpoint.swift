import Checkpoint
import Foundation
import TestSupport

/// A checkpoint of any size that takes nearly no space on the disk: its weights are a hole.
enum SparseCheckpoint {
  /// - Parameter bytes: of weights in BF16, at least.
  static func write(to path: String, bytes: Int) throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    let model = try configuration(in: path, bytes: bytes)
    var offset = 0
    let tensors = ParameterInventory(model).storedTensors().map { tensor in
      defer { offset += tensor.bytes }
      let type = tensor.type == .f32 ? "F32" : "BF16"
      return "\"\(tensor.name)\":{\"dtype\":\"\(type)\",\"shape\":\(tensor.shape),"
        + "\"data_offsets\":[\(offset),\(offset + tensor.bytes)]}"
    }
    let header = Data("{\(tensors.joined(separator: ","))}".utf8)
    let file = path + "/model.safetensors"
    try (withUnsafeBytes(of: UInt64(header.count).littleEndian) { Data($0) } + header).write(to: URL(filePath: file))
    guard truncate(file, off_t(8 + header.count + offset)) == 0 else { throw CocoaError(.fileWriteOutOfSpace) }
  }

  /// Writes the config.json of a tiny model with experts as wide as need be.
  private static func configuration(in path: String, bytes: Int) throws -> ModelConfiguration {
    let tiny = String(decoding: try Fixtures.data("tiny-f32/config.json"), as: UTF8.self)
      .replacing("\"moe_intermediate_size\": 32", with: "\"moe_intermediate_size\": 65536")
    let file = URL(filePath: path + "/config.json")
    var hidden = 512
    while true {
      let text = tiny.replacing("\"hidden_size\": 64", with: "\"hidden_size\": \(hidden)")
      try Data(text.utf8).write(to: file)
      let model = try ModelConfiguration.read(file).configuration
      if ParameterInventory(model).total * 2 > bytes { return model }
      hidden *= 2
    }
  }
}

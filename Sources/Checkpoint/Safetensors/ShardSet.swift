import Foundation
import StrictJSON

/// The safetensors files of a checkpoint: one file, or shards under an index.
struct ShardSet {
  static let singleName = "model.safetensors"
  static let indexName = "model.safetensors.index.json"

  let files: [SafetensorsFile]
  private let fileNamed: [String: SafetensorsFile]
  private(set) var tensors: [String: TensorInfo] = [:]
  /// Tensors that the index does not put where they are.
  private(set) var unlisted: [String] = []

  init(folder: URL) throws {
    let manager = FileManager.default
    func exists(_ name: String) -> Bool {
      manager.fileExists(atPath: folder.appending(path: name).path(percentEncoded: false))
    }
    if exists(ShardSet.singleName) {
      let file = try SafetensorsFile(folder.appending(path: ShardSet.singleName))
      files = [file]
      fileNamed = [file.name: file]
      tensors.reserveCapacity(file.header.tensors.count)
      for tensor in file.header.tensors { tensors[tensor.name] = tensor }
    } else if exists(ShardSet.indexName) {
      let places = try ShardSet.weightMap(folder)
      files = try ShardSet.openShards(places, folder: folder)
      fileNamed = Dictionary(uniqueKeysWithValues: files.map { ($0.name, $0) })
      try collect(places)
    } else {
      throw ShardSet.noWeights(folder)
    }
  }

  func file(of tensor: TensorInfo) -> SafetensorsFile {
    guard let file = fileNamed[tensor.file] else { preconditionFailure("tensors come from the files") }
    return file
  }

  /// The index's `weight_map`, tensor to file name, in file order.
  private static func weightMap(_ folder: URL) throws -> [(String, String)] {
    let bytes = try readSmallFile(folder.appending(path: indexName), name: indexName)
    let json = try parseJSON(bytes, file: indexName)
    guard let map = json.object?["weight_map"]?.object else {
      throw SafetensorsHeader.damaged(indexName, "field weight_map", "an object", "nothing of the kind")
    }
    return try map.pairs.map { name, value in
      guard let file = value.string else {
        throw SafetensorsHeader.damaged(
          indexName, "tensor \(CheckpointError.short(name))", "a file name", ConfigurationFields.describe(value))
      }
      return (name, file)
    }
  }

  private static func openShards(_ places: [(String, String)], folder: URL) throws -> [SafetensorsFile] {
    var seen: Set<String> = []
    for (tensor, file) in places where seen.insert(file).inserted {
      let isPlain = file.utf8.count < 256 && !file.utf8.contains { $0 == 47 || $0 == 92 || $0 < 32 || $0 == 127 }
      guard isPlain, file.hasSuffix(".safetensors") else {
        throw CheckpointError(
          file: indexName, subject: "tensor \(CheckpointError.short(tensor))",
          expected: "the plain name of a safetensors file beside the index",
          found: CheckpointError.short("\"\(file)\""), hint: "An index may not lead out of its folder.")
      }
    }
    let names = seen.sorted()
    let missing = names.filter {
      !FileManager.default.fileExists(atPath: folder.appending(path: $0).path(percentEncoded: false))
    }
    guard missing.isEmpty else {
      throw CheckpointError(
        file: indexName, subject: "field weight_map", expected: "\(names.count) files",
        found: "\(missing.count) of them missing: \(missing.joined(separator: ", "))",
        hint: "The download is incomplete, or a link leads nowhere: fetch the missing files.")
    }
    return try names.map { try SafetensorsFile(folder.appending(path: $0), name: $0) }
  }

  private mutating func collect(_ places: [(String, String)]) throws {
    let expected = Dictionary(places, uniquingKeysWith: { first, _ in first })
    tensors.reserveCapacity(places.count)
    for file in files {
      for tensor in file.header.tensors {
        if expected[tensor.name] == file.name {
          tensors[tensor.name] = tensor
        } else {
          unlisted.append("\(tensor.name) (\(file.name))")
        }
      }
    }
    for (tensor, file) in places where tensors[tensor] == nil {
      throw CheckpointError(
        file: file, subject: "tensor \(CheckpointError.short(tensor))",
        expected: "the tensor that \(ShardSet.indexName) puts into this file", found: "nothing",
        hint: "Shards and index do not belong together: fetch both again.")
    }
  }

  /// Says what the folder holds instead of safetensors.
  private static func noWeights(_ folder: URL) -> CheckpointError {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path(percentEncoded: false))) ?? []
    func first(_ suffix: String) -> String? { names.filter { $0.hasSuffix(suffix) }.min() }
    let found: String
    let hint: String
    if let dangling = [singleName, indexName].first(where: names.contains) {
      found = "\(dangling), a link that leads nowhere"
      hint = "The download is incomplete: fetch the checkpoint again."
    } else if let shard = names.filter({ $0.hasSuffix(".safetensors") && $0.contains("-of-") }).min()
      ?? first(".safetensors")
    {
      found = "neither, only files such as \(shard)"
      hint = "Shards need their index: fetch \(indexName) too."
    } else if let gguf = first(".gguf") {
      found = "a GGUF file (\(gguf))"
      hint = "A GGUF file holds its own configuration: give the path of the file instead of the folder's."
    } else if let pickle = first(".bin") ?? first(".pt") ?? first(".pth") {
      found = "PyTorch weights (\(pickle))"
      hint = "Pickled weights are not read; convert them to safetensors."
    } else {
      found = "neither"
      hint = "Fetch the weights too, not only the configuration."
    }
    return CheckpointError(
      file: folder.lastPathComponent, subject: "weights", expected: "\(singleName) or \(indexName)",
      found: found, hint: hint)
  }
}

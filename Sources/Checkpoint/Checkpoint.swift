import Crypto
import Foundation

/// A Hugging Face checkpoint folder of the DeepSeek-V2 / V3 family, opened and verified.
///
/// Opening reads `config.json` and the headers. Weights are mapped, and touched only when they are read.
public final class Checkpoint: Sendable {
  public let folder: URL
  public let configuration: ModelConfiguration
  public let generationDefaults: GenerationDefaults
  /// Tensors that nothing asks for, sorted; worth one warning.
  public let surplus: [String]
  /// Multi-token-prediction tensors, sorted: skipped without a warning.
  public let skipped: [String]
  /// SHA-256 in hexadecimal over `config.json` and every safetensors header: the same on every node that holds
  /// the same checkpoint, wherever it lies and whatever its files are called.
  public let fingerprint: String

  private let shards: ShardSet

  /// Opens and verifies a folder.
  ///
  /// - Throws: ``CheckpointError``: the first thing that is wrong.
  public static func open(_ folder: URL) throws -> Checkpoint {
    try checkFolder(folder)
    let (configuration, bytes) = try ModelConfiguration.read(folder.appending(path: "config.json"))
    let defaults = try GenerationDefaults(folder: folder, vocabulary: configuration.vocabularySize)
    let shards = try ShardSet(folder: folder)
    return try Checkpoint(folder, configuration, bytes, defaults, shards)
  }

  private init(
    _ folder: URL, _ configuration: ModelConfiguration, _ configurationBytes: [UInt8],
    _ defaults: GenerationDefaults, _ shards: ShardSet
  ) throws {
    let verified = try TensorCheck(configuration, shards).run()
    self.folder = folder
    self.configuration = configuration
    self.shards = shards
    generationDefaults = defaults
    surplus = verified.surplus
    skipped = verified.skipped
    fingerprint = Checkpoint.fingerprint(configurationBytes, shards.files)
  }

  /// All tensors of the checkpoint by name.
  public var tensors: [String: TensorInfo] { shards.tensors }

  /// Number of safetensors files.
  public var fileCount: Int { shards.files.count }

  public func contains(_ name: String) -> Bool { shards.tensors[name] != nil }

  public func info(_ name: String) -> TensorInfo? { shards.tensors[name] }

  /// Bytes of a tensor as stored, with those of its scales.
  public func storedBytes(_ name: String) -> Int {
    let scale = info(ParameterNames.scale(of: name))?.byteRange.count ?? 0
    return (info(name)?.byteRange.count ?? 0) + scale
  }

  /// A 2-D weight, with its FP8 scales where it has them.
  ///
  /// - Throws: ``CheckpointError`` where it is absent or no matrix of weights.
  public func matrix(_ name: String) throws -> TensorSource {
    let (tensor, data) = try place(of: name)
    guard tensor.shape.count == 2, TensorCheck.plainTypes.contains(tensor.type) || tensor.type == .f8e4m3 else {
      throw CheckpointError.tensor(
        name, file: tensor.file, expected: "a matrix of weights",
        found: "\(tensor.type.rawValue) \(tensor.shape)", hint: "The checkpoint has another layout.")
    }
    var scales: TensorSource.ScaleGrid?
    if tensor.type == .f8e4m3 {
      try TensorCheck(configuration, shards).checkScale(of: tensor)
      let (grid, gridData) = try place(of: ParameterNames.scale(of: name))
      guard let block = configuration.quantizationBlock else { preconditionFailure("checked above") }
      scales = TensorSource.ScaleGrid(data: gridData, columns: grid.shape[1], block: block)
    }
    return TensorSource(
      name: name, rows: tensor.shape[0], columns: tensor.shape[1], type: tensor.type, data: data, scales: scales)
  }

  /// A 1-D parameter in f32.
  ///
  /// - Throws: ``CheckpointError`` where it is absent or no vector of floating-point numbers.
  public func vector(_ name: String) throws -> [Float] {
    let (tensor, data) = try place(of: name)
    guard tensor.shape.count == 1, TensorCheck.plainTypes.contains(tensor.type) else {
      throw CheckpointError.tensor(
        name, file: tensor.file, expected: "a vector of F32, BF16 or F16",
        found: "\(tensor.type.rawValue) \(tensor.shape)", hint: "The checkpoint has another layout.")
    }
    return [Float](unsafeUninitializedCapacity: tensor.shape[0]) { out, count in
      count = tensor.shape[0]
      guard let base = out.baseAddress, count > 0 else { return }
      _ = ElementConversion.convert(data.base, tensor.type, count: count, into: base)
    }
  }

  private func place(of name: String) throws -> (TensorInfo, TensorSource.MappedRange) {
    guard let tensor = shards.tensors[name] else {
      throw CheckpointError.tensor(
        name, file: folder.lastPathComponent, expected: "the tensor", found: "nothing",
        hint: "The checkpoint has another layout.")
    }
    return (tensor, TensorSource.MappedRange(file: shards.file(of: tensor), range: tensor.byteRange))
  }

  /// Says early what is no checkpoint folder, and what to give instead.
  private static func checkFolder(_ folder: URL) throws {
    let path = folder.path(percentEncoded: false)
    func wrong(_ found: String, _ hint: String) -> CheckpointError {
      CheckpointError(
        file: path, subject: "checkpoint", expected: "a Hugging Face checkpoint folder", found: found, hint: hint)
    }
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw wrong("nothing", "Check the path.")
    }
    guard isFolder.boolValue else {
      let start = FileHandle(forReadingAtPath: path)?.readData(ofLength: 4) ?? Data()
      if start.elementsEqual("GGUF".utf8) {
        throw wrong("a GGUF file", "GGUF is not read; give the folder of the original Hugging Face checkpoint.")
      }
      throw wrong("a file", "Give the folder that holds config.json and the safetensors files.")
    }
    let configuration = folder.appending(path: "config.json").path(percentEncoded: false)
    guard FileManager.default.fileExists(atPath: configuration) else {
      let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
      if names.contains("snapshots") {
        throw wrong("a folder of the hub's cache", "Give one of the folders in its snapshots folder.")
      }
      throw wrong("a folder without config.json", "Give the folder that holds config.json and the safetensors files.")
    }
  }

  private static func fingerprint(_ configuration: [UInt8], _ files: [SafetensorsFile]) -> String {
    let headers = files.map { file -> [UInt8] in
      var hash = SHA256()
      hash.update(bufferPointer: file.headerBytes)
      return Array(hash.finalize())
    }
    var hash = SHA256()
    hash.update(data: Array(SHA256.hash(data: configuration)))
    for header in headers.sorted(by: { $0.lexicographicallyPrecedes($1) }) { hash.update(data: header) }
    return hash.finalize().map { byte in
      let text = String(byte, radix: 16)
      return text.count == 1 ? "0" + text : text
    }.joined()
  }
}

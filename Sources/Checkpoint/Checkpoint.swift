import Crypto
import Foundation

/// A checkpoint of the DeepSeek-V2 / V3 family, opened and verified: a Hugging Face folder, a GGUF file, or the folder
/// of a prepared model.
///
/// Opening reads the configuration and the headers. Weights are mapped, and touched only when they are read.
public final class Checkpoint: Sendable {
  /// The folder or the file.
  public let location: URL
  public let configuration: ModelConfiguration
  public let generationDefaults: GenerationDefaults
  /// Tensors that nothing asks for, sorted; worth one warning.
  public let surplus: [String]
  /// Multi-token-prediction tensors, sorted: skipped without a warning.
  public let skipped: [String]
  /// SHA-256 in hexadecimal over configuration and headers: the same on every node that holds the same checkpoint,
  /// wherever it lies and whatever its files are called.
  public let fingerprint: String
  /// The metadata, where the checkpoint is a GGUF file.
  public let metadata: GGUFMetadata?
  /// Names of the parts of a split GGUF model that are not here yet.
  public let missingFiles: [String]

  let store: any TensorStore

  /// Opens and verifies a folder, a GGUF file or any part of a split one with the others beside it.
  ///
  /// - Parameter allowsMissingParts: open also a split GGUF model of which the first part is here, and not all of the
  ///   others; ``tensors`` are those of the parts that are.
  /// - Throws: ``CheckpointError``: the first thing that is wrong.
  public static func open(_ location: URL, allowsMissingParts: Bool = false) throws -> Checkpoint {
    switch try CheckpointKind(location) {
    case .folder: try Checkpoint(folder: location)
    case .gguf(let file): try Checkpoint(gguf: file, at: location, allowsMissingParts: allowsMissingParts)
    case .prepared: try Checkpoint(prepared: location)
    }
  }

  /// A model without weights of its own.
  public init(_ phantom: PhantomModel) throws {
    let tensors = try PhantomStore(phantom)
    location = URL(filePath: "/").appending(path: phantom.name)
    configuration = phantom.configuration
    generationDefaults = GenerationDefaults()
    (surplus, skipped, missingFiles) = ([], [], [])
    (metadata, storedTypes) = (nil, nil)
    store = tensors
    fingerprint = Checkpoint.fingerprint([], tensors.headerHashes)
  }

  /// Whether its matrices share their numbers.
  public var isPhantom: Bool { store is PhantomStore }

  /// Of a phantom, the matrix that stands for all of the same shape in the same of `slots`; which slot that is depends
  /// on the name alone. Nil for a model with weights.
  ///
  /// - Parameter copies: of each slot, for pieces of memory that differ where their numbers do not.
  /// - Returns: a place, from 0 to `slots * copies`, and the numbers, those of the slot `place % slots`.
  public func phantomMatrix(_ name: String, slots: Int, copies: Int = 1) throws -> (place: Int, source: TensorSource)? {
    guard let phantom = store as? PhantomStore else { return nil }
    return phantom.matrix(try present(name), slots: slots, copies: copies)
  }

  /// The bundles, where this is a prepared model.
  public var prepared: PreparedStore? { store as? PreparedStore }

  /// - Throws: ``CheckpointError`` where this is a prepared model, of which nothing can be made.
  public func requireSource() throws {
    guard prepared != nil else { return }
    throw CheckpointError(
      file: location.lastPathComponent, subject: "checkpoint", expected: "a Hugging Face folder or GGUF file",
      found: "a prepared model", hint: "Give the checkpoint that it was made from.")
  }

  private init(folder: URL) throws {
    let (configuration, bytes) = try ModelConfiguration.read(folder.appending(path: "config.json"))
    generationDefaults = try GenerationDefaults(folder: folder, vocabulary: configuration.vocabularySize)
    let shards = try ShardSet(folder: folder)
    (surplus, skipped) = try TensorCheck(configuration, shards).run()
    location = folder
    (metadata, storedTypes, missingFiles) = (nil, nil, [])
    self.configuration = configuration
    store = SafetensorsStore(configuration: configuration, shards: shards)
    fingerprint = Checkpoint.fingerprint([Array(SHA256.hash(data: bytes))], store.headerHashes)
  }

  private init(gguf url: URL, at location: URL, allowsMissingParts: Bool) throws {
    let set = try GGUFFileSet(url)
    if !allowsMissingParts { try set.requireComplete() }
    // Of a model that is not all here, the head may still come.
    let hasHead = set.files.contains { $0.header.tensors.contains { $0.name == "output.weight" } }
    let tiesEmbeddings = !hasHead && set.missing.isEmpty
    let hasGateBias = set.files.contains { $0.header.tensors.contains { $0.name.hasSuffix(".exp_probs_b.bias") } }
    configuration = try ModelConfiguration(
      set.metadata, tiesEmbeddings: tiesEmbeddings, hasGateBias: hasGateBias, file: set.name)
    generationDefaults = try GenerationDefaults(set.metadata, file: set.name)
    let tensors = try GGUFStore(set, configuration)
    (surplus, skipped) = (tensors.surplus, tensors.skipped)
    self.location = location
    (metadata, missingFiles) = (set.metadata, set.missing)
    storedTypes = StoredTypes(tensors.types, configuration, usual: GGUFQuantization(set.metadata)?.usualType)
    store = tensors
    fingerprint = Checkpoint.fingerprint([], store.headerHashes)
  }

  private init(prepared folder: URL) throws {
    let manifest = try PreparedManifest(folder: folder)
    let facts = try PreparedFacts(folder, manifest)
    let bundles = try PreparedStore(folder: folder, manifest: manifest, configuration: facts.configuration)
    location = folder
    (configuration, generationDefaults, metadata) = (facts.configuration, facts.generationDefaults, facts.metadata)
    (surplus, skipped, missingFiles) = ([], bundles.skipped, [])
    storedTypes = facts.storedTypes
    store = bundles
    fingerprint = "\(manifest.identity)"
  }

  /// All tensors of the checkpoint by official name.
  public var tensors: [String: TensorInfo] { store.tensors }

  /// How the tensors of a GGUF model are stored, also of a prepared one that keeps it; nil for other checkpoints.
  /// What lies in ``missingFiles`` is taken to be like the same tensors of other layers.
  public let storedTypes: StoredTypes?

  /// Tensors of a GGUF model that it needs and that lie in ``missingFiles``.
  public var absentTensors: Int { (store as? GGUFStore)?.absentCount ?? 0 }

  /// Tensors that a GGUF model needs, merged experts as one.
  public var neededTensors: Int { absentTensors + ((store as? GGUFStore)?.types.count ?? 0) }

  /// What a GGUF model was quantised to, where it says it.
  public var quantization: GGUFQuantization? { metadata.flatMap { GGUFQuantization($0) } }

  /// Number of files that hold tensors.
  public var fileCount: Int { store.fileCount }

  /// Bytes of all tensors as stored.
  public var tensorBytes: Int { store.tensorBytes }

  public func contains(_ name: String) -> Bool { info(name) != nil }

  public func info(_ name: String) -> TensorInfo? { store.info(name) }

  /// Bytes of a tensor as stored, with those of its scales.
  public func storedBytes(_ name: String) -> Int { info(name).map(store.storedBytes) ?? 0 }

  public func storedBytes(_ tensor: TensorInfo) -> Int { store.storedBytes(tensor) }

  /// A 2-D weight, with its FP8 scales where it has them.
  ///
  /// - Throws: ``CheckpointError`` where it is absent or no matrix of weights.
  public func matrix(_ name: String) throws -> TensorSource {
    let tensor = try present(name)
    let isWeight = TensorCheck.plainTypes.contains(tensor.type) || tensor.type == .f8e4m3 || tensor.type.isBlock
    guard tensor.shape.count == 2, isWeight else {
      throw CheckpointError.tensor(
        name, file: tensor.file, expected: "a matrix of weights",
        found: "\(tensor.type.rawValue) \(tensor.shape)", hint: "The checkpoint has another layout.")
    }
    return try store.matrix(tensor)
  }

  /// Calls `body` with some bytes of a tensor as stored, and gives their pages back.
  public func withStoredBytes(
    _ name: String, _ range: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let data = try store.vector(try present(name))
    precondition(range.lowerBound >= 0 && range.upperBound <= data.range.count, "bytes \(range) of \(name)")
    try body(UnsafeRawBufferPointer(start: data.base + range.lowerBound, count: range.count))
    data.map.release(data.range.lowerBound + range.lowerBound..<data.range.lowerBound + range.upperBound)
  }

  /// A 1-D parameter in f32.
  ///
  /// - Throws: ``CheckpointError`` where it is absent or no vector of floating-point numbers.
  public func vector(_ name: String) throws -> [Float] {
    let tensor = try present(name)
    guard tensor.shape.count == 1, TensorCheck.plainTypes.contains(tensor.type) else {
      throw CheckpointError.tensor(
        name, file: tensor.file, expected: "a vector of F32, BF16 or F16",
        found: "\(tensor.type.rawValue) \(tensor.shape)", hint: "The checkpoint has another layout.")
    }
    let data = try store.vector(tensor)
    return [Float](unsafeUninitializedCapacity: tensor.shape[0]) { out, count in
      count = tensor.shape[0]
      guard let base = out.baseAddress, count > 0 else { return }
      _ = ElementConversion.convert(data.base, tensor.type, count: count, into: base)
    }
  }

  /// The two tensors into which GGUF files split a layer's `kv_b_proj`; nil where it lies in one piece.
  ///
  /// - Returns: the keys' part transposed per head, `[heads * latentRank, nopeDimension]`, and the values' part,
  ///   `[heads * valueDimension, latentRank]`.
  public func splitLatentUp(_ layer: Int) -> (keys: TensorSource, values: TensorSource)? {
    (store as? GGUFStore)?.headRows(ParameterNames.latentUp(layer)).map { ($0.keys, $0.values) }
  }

  private func present(_ name: String) throws -> TensorInfo {
    guard let tensor = info(name) else {
      throw CheckpointError.tensor(
        name, file: location.lastPathComponent, expected: "the tensor", found: "nothing",
        hint: "The checkpoint has another layout.")
    }
    return tensor
  }

  private static func fingerprint(_ configuration: [[UInt8]], _ headers: [[UInt8]]) -> String {
    var hash = SHA256()
    for part in configuration { hash.update(data: part) }
    for header in headers.sorted(by: { $0.lexicographicallyPrecedes($1) }) { hash.update(data: header) }
    return "\(Digest(hash.finalize()))"
  }
}

import Dispatch
import Foundation
import Synchronization

/// Writes a checkpoint as an ordinary `deepseek2` GGUF file, for llama.cpp and others, and for speed comparisons on
/// the same bytes.
///
/// It streams: a few megabytes of memory for each thread, whatever the model; each source byte is read once.
public struct GGUFExporter: Sendable {
  /// A tensor of another type than the mix asks for, since its rows are no whole number of blocks.
  public struct Fallback: Sendable, Hashable {
    public let wanted: GGMLType
    public let written: GGMLType
    /// Elements of a row.
    public let columns: Int

    public init(wanted: GGMLType, written: GGMLType, columns: Int) {
      self.wanted = wanted
      self.written = written
      self.columns = columns
    }
  }

  /// Bytes of the finished file, or of all parts together.
  public let fileBytes: Int
  /// Tensors of each part, in order.
  private let parts: [Range<Int>]
  /// Number of files.
  public var fileCount: Int { parts.count }
  /// Bytes by element type.
  public let bytesByType: [GGMLType: Int]
  /// Tensors that fall back, by reason.
  public let fallbacks: [Fallback: Int]

  let checkpoint: Checkpoint
  private let metadata: GGUFMetadata
  private let tensors: [(plan: GGUFLayout.Tensor, type: GGMLType)]

  /// - Parameters:
  ///   - tokenizer: metadata of the tokenizer, without the ids that the configuration has.
  ///   - partBytes: most bytes of tensors in a file; more make several files, a larger tensor one of its own.
  /// - Throws: ``CheckpointError`` where the model has something that the format cannot express.
  public init(
    _ checkpoint: Checkpoint, _ mix: GGUFMix, tokenizer: [(String, GGUFValue)], partBytes: Int? = nil
  ) throws {
    try checkpoint.requireSource()
    let model = checkpoint.configuration
    try model.requireGGUF(file: checkpoint.location.lastPathComponent)
    self.checkpoint = checkpoint
    let plans = GGUFLayout(configuration: model).tensors()
    tensors = plans.map { ($0, mix.type($0, model)) }
    metadata = GGUFExporter.metadata(checkpoint, mix, tokenizer)
    parts = try GGUFExporter.parts(tensors.map { Self.bytes($0.plan, $0.type) }, partBytes)
    let (parts, tensors, metadata) = (parts, tensors, metadata)
    fileBytes = try parts.indices.reduce(0) { sum, part in
      sum
        + (try GGUFWriter.fileBytes(
          Self.metadata(metadata, part: part, parts, tensors.count), Self.declarations(tensors[parts[part]]),
          file: "GGUF"))
    }
    var sizes: [GGMLType: Int] = [:]
    var reasons: [Fallback: Int] = [:]
    for (plan, type) in tensors {
      sizes[type, default: 0] += Self.bytes(plan, type)
      let wanted = mix.wanted(plan, model)
      guard wanted != type else { continue }
      reasons[Fallback(wanted: wanted, written: type, columns: plan.dimensions[0]), default: 0] += 1
    }
    (bytesByType, fallbacks) = (sizes, reasons)
  }

  private static func metadata(
    _ checkpoint: Checkpoint, _ mix: GGUFMix, _ tokenizer: [(String, GGUFValue)]
  ) -> GGUFMetadata {
    let model = checkpoint.configuration
    var name = checkpoint.location.standardizedFileURL.lastPathComponent
    if checkpoint.metadata != nil, name.hasSuffix(".gguf") {
      name = GGUFPartName(name)?.prefix ?? String(name.dropLast(5))
    }
    var pairs: [(String, GGUFValue)] = [
      (GGUFKeys.architecture, .string(GGUFKeys.deepseek)), ("general.type", .string("model")),
      ("general.name", .string(name)),
    ]
    pairs += checkpoint.generationDefaults.ggufMetadata
    pairs += model.ggufMetadata
    pairs += [
      (GGUFKeys.fileType, .uint32(mix.fileType)), ("general.quantization_version", .uint32(2)),
    ]
    if let bos = model.bosToken { pairs.append((GGUFKeys.beginOfSentence, .uint32(UInt32(bos)))) }
    let ends = checkpoint.generationDefaults.eosTokens ?? model.eosTokens
    let keys = [GGUFKeys.endOfSentence, GGUFKeys.endOfTurn, GGUFKeys.endOfMessage]
    for (key, id) in zip(keys, ends) { pairs.append((key, .uint32(UInt32(id)))) }
    var metadata = GGUFMetadata()
    // Ids of the configuration come first: they are what runs.
    for (key, value) in pairs + tokenizer { _ = metadata.append(key, value) }
    return metadata
  }

  /// Writes the file, or its parts under names with numbers; none of them may be there yet.
  ///
  /// - Parameter progress: bytes written and bytes in total, now and then, on the calling thread. What it throws ends
  ///   the writing; of what was begun nothing stays.
  /// - Returns: the files.
  /// - Throws: ``CheckpointError`` where a file exists, or the disk is too small.
  @discardableResult
  public func write(
    to url: URL, progress: (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
  ) throws -> [URL] {
    let urls = urls(url)
    for url in urls where FileManager.default.fileExists(atPath: url.path(percentEncoded: false)) {
      throw CheckpointError(
        file: url.path(percentEncoded: false), subject: "output", expected: "a new file",
        found: "something there already", hint: "Name another file, or remove this one first.")
    }
    try Disk.require(fileBytes, in: url.deletingLastPathComponent())
    // They get their names together, at the end.
    let writers = try parts.indices.map { part in
      try GGUFWriter(
        urls[part], metadata: Self.metadata(metadata, part: part, parts, tensors.count),
        tensors: Self.declarations(tensors[parts[part]]))
    }
    let total = bytesByType.values.reduce(0, +)
    var done = 0
    try progress(0, total)
    for (part, writer) in zip(parts, writers) {
      for (plan, type) in tensors[part] {
        try write(try GGUFPart.parts(of: plan, type, checkpoint), plan.name, writer) { bytes in
          done += bytes
          try progress(done, total)
        }
      }
    }
    for writer in writers { try writer.finish() }
    return urls
  }

  /// Pieces between two reports of progress.
  private static let wave = 64

  /// Converts and writes a tensor on all processors.
  private func write(
    _ parts: [GGUFPart], _ name: String, _ writer: GGUFWriter, _ report: (Int) throws -> Void
  ) throws {
    let pieces = parts.flatMap { part in part.pieces().map { (part: part, rows: $0) } }
    let failure = Mutex<CheckpointError?>(nil)
    for start in stride(from: 0, to: pieces.count, by: GGUFExporter.wave) {
      let wave = Array(pieces[start..<min(start + GGUFExporter.wave, pieces.count)])
      DispatchQueue.concurrentPerform(iterations: wave.count) { index in
        let (part, rows) = wave[index]
        do throws(CheckpointError) {
          try part.withBytes(rows) { bytes throws(CheckpointError) in
            try writer.write(bytes, to: name, at: part.offset + rows.lowerBound * part.rowBytes)
          }
        } catch {
          failure.withLock { $0 = $0 ?? error }
        }
      }
      if let error = failure.withLock({ $0 }) { throw error }
      for (part, rows) in wave where rows.upperBound == part.rows { part.source.release() }
      try report(wave.reduce(0) { $0 + $1.rows.count * $1.part.rowBytes })
    }
  }
}

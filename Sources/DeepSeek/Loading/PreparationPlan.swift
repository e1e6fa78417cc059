import Checkpoint
import Kernels

/// What it takes to prepare some bundles of a checkpoint: where every tensor goes, and the work in the order in which
/// the source's files hold it.
struct PreparationPlan {
  /// A piece of work that one thread does at a time.
  struct Job: Sendable {
    enum Work: Sendable {
      case matrix(String, rows: Range<Int>, WeightFormat)
      /// All that a layer's `kv_b_proj` becomes.
      case latentUp(String)
      case vector(String)
      /// Bytes as they are stored.
      case stored(String, Range<Int>)
    }

    let work: Work
    /// What it makes, in order.
    let pieces: [BundleWriter.Piece]
    /// Bytes that it writes.
    let bytes: Int
    /// Where its source begins.
    fileprivate let file: String
    fileprivate let offset: Int
  }

  private(set) var bundles: [PreparedBundle] = []
  private(set) var jobs: [Job] = []
  private let checkpoint: Checkpoint
  private let formats: WeightFormats

  /// Most weights of a piece, where its matrix can be cut.
  private static let pieceWeights = 1 << 24

  /// - Throws: `CheckpointError`.
  init(_ checkpoint: Checkpoint, _ formats: WeightFormats, bundles wanted: Set<BundleName>) throws {
    self.checkpoint = checkpoint
    self.formats = formats
    var items: [BundleName: [PreparedInventory.Item]] = [:]
    PreparedInventory(checkpoint.configuration).forEach { item in
      if wanted.contains(item.bundle) { items[item.bundle, default: []].append(item) }
    }
    for (name, items) in items.sorted(by: { $0.key < $1.key }) { try add(name, items) }
    if wanted.contains(.mtp) { addMTP() }
    bundles.sort { $0.name < $1.name }
    jobs.sort { ($0.file, $0.offset) < ($1.file, $1.offset) }
  }

  // MARK: - Places

  private mutating func add(_ name: BundleName, _ items: [PreparedInventory.Item]) throws {
    var steps: [Int] = []
    let planned = try items.map { item in
      let layout = try layout(item)
      let step = try rowsOfPiece(item)
      steps.append(step)
      let whole = PreparedTensor(name: item.name, layout: layout, shape: item.shape, offset: 0, pieceBytes: 1 << 62)
      let piece =
        switch (layout, item.content) {
        case (.panels(let format), .matrix): format.bytes(rows: step, columns: item.shape[1])
        case (.rows(let type), .stored): step * type.rowBytes(item.shape[1])
        default: whole.bytes
        }
      return (name: item.name, layout: layout, shape: item.shape, pieceBytes: min(whole.bytes, piece))
    }
    let bundle = PreparedBundle(name: name, laying: planned)
    bundles.append(bundle)
    for (index, item) in items.enumerated() { addJobs(bundle, index, item, step: steps[index]) }
  }

  private func layout(_ item: PreparedInventory.Item) throws -> PreparedTensor.Layout {
    switch item.content {
    case .vector: return .rows(.f32)
    case .stored: return .rows(try checkpoint.matrix(item.source.name).type)
    case .matrix, .keys, .keysTransposed, .values:
      let wanted = formats.format(item, of: checkpoint.configuration)
      return .panels(try checkpoint.matrix(item.source.name).runFormat(wanted))
    }
  }

  /// Rows of a piece: whole panels, and whole blocks of scales where the source has them.
  private func rowsOfPiece(_ item: PreparedInventory.Item) throws -> Int {
    guard item.content == .matrix || item.content == .stored else { return item.shape[0] }
    let source = try checkpoint.matrix(item.source.name)
    let (rows, unit) = (item.shape[0], source.sliceRows)
    guard unit > 0 else { return rows }
    var common = PackedMatrix.panelRows
    while common % unit != 0 && common < rows { common += PackedMatrix.panelRows }
    guard common < rows else { return rows }
    return min(rows, max(common, Self.pieceWeights / item.shape[1] / common * common))
  }

  // MARK: - Work

  private mutating func addJobs(_ bundle: PreparedBundle, _ index: Int, _ item: PreparedInventory.Item, step: Int) {
    guard let info = checkpoint.info(item.source.name) else { preconditionFailure("\(item.source.name) was checked") }
    let tensor = bundle.tensors[index]
    func piece(_ tensor: Int, _ piece: Int = 0) -> BundleWriter.Piece {
      BundleWriter.Piece(bundle: bundle.name, tensor: tensor, index: piece)
    }
    func put(_ work: Job.Work, _ pieces: [BundleWriter.Piece], offset: Int = 0) {
      let bytes = pieces.reduce(0) { $0 + bundle.tensors[$1.tensor].range(ofPiece: $1.index).count }
      jobs.append(
        Job(work: work, pieces: pieces, bytes: bytes, file: info.file, offset: info.byteRange.lowerBound + offset))
    }
    switch item.content {
    case .vector: put(.vector(item.source.name), [piece(index)])
    // The transposed keys and the values follow in the bundle, and come from the same bytes.
    case .keys: put(.latentUp(item.source.name), [piece(index), piece(index + 1), piece(index + 2)])
    case .keysTransposed, .values: break
    case .matrix:
      guard case .panels(let format) = tensor.layout else { preconditionFailure("matrices lie in panels") }
      for number in tensor.hashes.indices {
        let rows = number * step..<min((number + 1) * step, item.shape[0])
        let offset = info.byteRange.count / item.shape[0] * rows.lowerBound
        put(.matrix(item.source.name, rows: rows, format), [piece(index, number)], offset: offset)
      }
    case .stored:
      for number in tensor.hashes.indices {
        let start = number * tensor.pieceBytes
        let range = start..<start + tensor.range(ofPiece: number).count
        put(.stored(item.source.name, range), [piece(index, number)], offset: start)
      }
    }
  }

  /// Tensors that nothing reads yet, as they are stored.
  private mutating func addMTP() {
    let found = checkpoint.skipped.compactMap { checkpoint.info($0) }
      .filter { !$0.byteRange.isEmpty && (1...3).contains($0.shape.count) }
    guard !found.isEmpty else { return }
    let bundle = PreparedBundle(
      name: .mtp,
      laying: found.map {
        (name: $0.name, layout: .rows($0.type), shape: $0.shape, pieceBytes: min($0.byteRange.count, 64 << 20))
      })
    bundles.append(bundle)
    for (index, (info, tensor)) in zip(found, bundle.tensors).enumerated() {
      for number in tensor.hashes.indices {
        let start = number * tensor.pieceBytes
        let range = start..<start + tensor.range(ofPiece: number).count
        jobs.append(
          Job(
            work: .stored(info.name, range), pieces: [.init(bundle: .mtp, tensor: index, index: number)],
            bytes: range.count, file: info.file, offset: info.byteRange.lowerBound + start))
      }
    }
  }
}

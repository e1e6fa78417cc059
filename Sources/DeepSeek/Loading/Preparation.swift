import Checkpoint
import Foundation
import Kernels
import Synchronization

/// Turns a checkpoint into bundles of a prepared model, with the loader's own packing, on several threads.
///
/// Memory: the source's pages and the packed weights of a piece for each thread. A source byte is read once.
public final class Preparation: Sendable {
  private let checkpoint: Checkpoint
  private let formats: WeightFormats
  private let writer: BundleWriter
  private let jobs: [PreparationPlan.Job]
  /// Bytes of the wanted bundles, and how many of them were there before.
  public let bytes: Int
  public let bytesBefore: Int
  /// Bundles that were whole before.
  public var kept: [BundleName] { writer.kept }
  /// Bundles that were there and damaged, and are made again.
  public var damaged: [BundleName] { writer.damaged }

  /// Checks everything, and begins or continues the folder.
  ///
  /// - Parameters:
  ///   - bundles: what is wanted; multi-token prediction is left out where the checkpoint has none.
  ///   - threads: on which those that are there already are compared with the manifest.
  ///   - checking: bytes compared so far and in all. What it throws ends the work.
  /// - Throws: `CheckpointError`.
  public init(
    _ checkpoint: Checkpoint, formats: WeightFormats, bundles: Set<BundleName>, into folder: URL, version: String,
    startsAnew: Bool = false, threads: Int = 1, checking: @escaping ByteProgress = { _, _ in }
  ) throws {
    try checkpoint.requireSource()
    let plan = try PreparationPlan(checkpoint, formats, bundles: bundles)
    let writer = try BundleWriter(
      folder, bundles: plan.bundles,
      subject: PreparationSubject(
        version: version, formats: formats.spelling, source: checkpoint.preparedSource(),
        files: checkpoint.sourceFiles),
      checks: .init(pool: ThreadPool(threads: threads), progress: checking), startsAnew: startsAnew)
    let kept = Set(writer.kept)
    let wanted = plan.jobs.filter { !kept.contains($0.pieces[0].bundle) }
    jobs = wanted.filter { !$0.pieces.allSatisfy(writer.finished.contains) }
    bytes = plan.jobs.reduce(0) { $0 + $1.bytes }
    bytesBefore = bytes - jobs.reduce(0) { $0 + $1.bytes }
    self.checkpoint = checkpoint
    self.formats = formats
    self.writer = writer
  }

  /// Memory that all threads together may use for what they work on.
  private static let memoryLimit = 1536 << 20

  /// Does the work and writes the manifest.
  ///
  /// - Parameters:
  ///   - flushSeconds: least time between two notes of what is finished.
  ///   - progress: bytes written and in all, on the calling thread. What it throws ends the work; what is finished
  ///     by then is kept.
  @discardableResult
  public func run(
    threads: Int, flushSeconds: Double = 0.25, progress: (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
  ) throws -> PreparedManifest {
    let kernels = try KernelTable.selected()
    // Packed bytes, and a source of at most f32.
    let most = jobs.map { $0.bytes }.max() ?? 1
    let workers = max(1, min(threads, jobs.count, Self.memoryLimit / (most + (64 << 20))))
    let board = Board()
    let group = DispatchGroup()
    for _ in 0..<workers {
      group.enter()
      let thread = Thread { [self] in
        work(kernels, board)
        group.leave()
      }
      thread.start()
    }
    do {
      try watch(group, board, flushSeconds: flushSeconds, progress)
    } catch {
      board.stop()
      group.wait()
      try? writer.flush()
      throw error
    }
    if let error = board.failure { throw error }
    return try writer.finish(checkpoint)
  }

  /// Reports and notes until all threads are at their end.
  private func watch(
    _ group: DispatchGroup, _ board: Board, flushSeconds: Double, _ progress: (Int, Int) throws -> Void
  ) throws {
    var nextFlush = MonotonicClock.seconds() + flushSeconds
    try progress(bytesBefore, bytes)
    while group.wait(timeout: .now() + .milliseconds(20)) == .timedOut {
      try progress(bytesBefore + board.done, bytes)
      let start = MonotonicClock.seconds()
      guard start >= nextFlush else { continue }
      try writer.flush()
      let end = MonotonicClock.seconds()
      // At most a tenth of the time goes into it, however slow the disk is.
      nextFlush = end + max(flushSeconds, 10 * (end - start))
    }
    try progress(bytesBefore + board.done, bytes)
  }

  private func work(_ kernels: KernelTable, _ board: Board) {
    let compute = Compute(kernels: kernels, threads: 1, keepsWeights: false)
    let loader = WeightLoader(checkpoint: checkpoint, formats: formats, compute: compute)
    while let index = board.next(of: jobs.count) {
      do {
        try run(jobs[index], loader)
        board.finished(jobs[index].bytes)
      } catch {
        board.fail(error)
      }
    }
  }

  private func run(_ job: PreparationPlan.Job, _ loader: WeightLoader) throws {
    switch job.work {
    case .matrix(let name, let rows, let format):
      let whole = try checkpoint.matrix(name)
      let source = rows == 0..<whole.rows ? whole : whole.slice(rows)
      guard let source else { preconditionFailure("\(name) is cut where it can be") }
      let packed = loader.pack(source, as: format)
      source.release()
      try packed.withPanels { try writer.write($0, as: job.pieces[0]) }
    case .latentUp(let name):
      let up = try loader.upProjections(name)
      for (matrices, piece) in zip([up.key, up.keyTransposed, up.value], job.pieces) {
        try write(matrices, as: piece)
      }
    case .vector(let name):
      try checkpoint.vector(name).withUnsafeBytes { try writer.write($0, as: job.pieces[0]) }
    case .stored(let name, let range):
      try checkpoint.withStoredBytes(name, range) { try writer.write($0, as: job.pieces[0]) }
    }
  }

  /// One behind the other, each at a place where it may be mapped.
  private func write(_ matrices: [PackedMatrix], as piece: BundleWriter.Piece) throws {
    let unit = PreparedTensor.alignment
    let step = ((matrices.first?.bytes ?? 0) + unit - 1) / unit * unit
    let all = UnsafeMutableRawBufferPointer.allocate(byteCount: matrices.count * step, alignment: unit)
    defer { all.deallocate() }
    all.initializeMemory(as: UInt8.self, repeating: 0)
    for (index, matrix) in matrices.enumerated() {
      matrix.withPanels {
        UnsafeMutableRawBufferPointer(rebasing: all[index * step..<index * step + $0.count]).copyMemory(from: $0)
      }
    }
    try writer.write(UnsafeRawBufferPointer(all), as: piece)
  }
}

/// What the threads of a preparation share.
private final class Board: Sendable {
  private struct State {
    var next = 0
    var done = 0
    var isStopped = false
    var failure: (any Error)?
  }
  private let state = Mutex(State())

  var done: Int { state.withLock { $0.done } }
  var failure: (any Error)? { state.withLock { $0.failure } }

  func next(of count: Int) -> Int? {
    state.withLock { state in
      guard !state.isStopped, state.next < count else { return nil }
      defer { state.next += 1 }
      return state.next
    }
  }

  func finished(_ bytes: Int) { state.withLock { $0.done += bytes } }
  func stop() { state.withLock { $0.isStopped = true } }

  func fail(_ error: any Error) {
    state.withLock { state in
      state.failure = state.failure ?? error
      state.isStopped = true
    }
  }
}

import Foundation
import Kernels
import Synchronization

/// Writes the bundles of a prepared model, piece by piece, and its manifest at the end. What an earlier run finished
/// is kept; nothing has its final name before it is whole and on the disk.
public final class BundleWriter: Sendable {
  /// A piece of a tensor of a bundle.
  public struct Piece: Hashable, Sendable {
    public let bundle: BundleName
    /// Position of the tensor in the bundle.
    public let tensor: Int
    public let index: Int

    public init(bundle: BundleName, tensor: Int, index: Int) {
      self.bundle = bundle
      self.tensor = tensor
      self.index = index
    }
  }

  private struct State {
    /// Written, not yet known to have reached the disk.
    var fresh: [(PreparationJournal.Piece, Digest)] = []
    /// Pieces that a bundle lacks.
    var missing: [BundleName: Int] = [:]
    var files: [BundleName: BundleFile] = [:]
  }

  public let folder: URL
  private let bundles: [BundleName: PreparedBundle]
  private let subject: PreparationSubject
  private let state: Mutex<State>
  /// Used on the thread that owns the writer.
  private let journal: Mutex<PreparationJournal>
  /// Bundles of an earlier preparation into the same folder.
  private let earlier: [PreparedBundle]
  /// Pieces that earlier runs finished.
  public let finished: Set<Piece>
  /// Wanted bundles that the folder has already, as its manifest says.
  public let kept: [BundleName]
  /// Wanted bundles that the folder has already, and not as its manifest says: they are made again.
  public let damaged: [BundleName]

  /// Opens a folder, new, empty, or one that a preparation of the same began, and reserves the room. What it refuses is
  /// left as it was.
  ///
  /// - Parameters:
  ///   - bundles: what the folder is to hold besides what it holds. Those that it has are compared with its manifest.
  ///   - checks: on whose threads, and what is told meanwhile.
  ///   - startsAnew: removes what an earlier preparation left.
  /// - Throws: ``CheckpointError``: the folder belongs to something else, or the disk is too small.
  public init(
    _ folder: URL, bundles: [PreparedBundle], subject: PreparationSubject, checks: Checks, startsAnew: Bool = false
  ) throws {
    self.folder = folder
    self.subject = subject
    try Self.claim(folder, startsAnew: startsAnew)
    earlier = try Self.earlierBundles(folder, subject)
    // A folder of something else is refused before anything is written into it.
    let begun = try PreparationJournal.exists(in: folder) ? PreparationJournal(folder: folder, subject: subject) : nil
    let there = Set(earlier.map(\.name)).intersection(bundles.map(\.name)).sorted()
    damaged = try Self.damaged(there, in: folder, checks)
    let kept = there.filter { [damaged] in !damaged.contains($0) }
    self.kept = kept
    let wanted = bundles.filter { !kept.contains($0.name) }
    self.bundles = Dictionary(uniqueKeysWithValues: wanted.map { ($0.name, $0) })
    let needed = wanted.reduce(0) { $0 + max(0, $1.bytes - Self.present($1, in: folder)) }
    try Disk.require(needed, reserve: 64 << 20, in: folder)
    let isNew = try Self.make(folder)
    let journal = try begun ?? PreparationJournal(folder: folder, subject: subject)
    do {
      let (state, finished) = try Self.begin(wanted, in: folder, journal, subject.identity)
      self.state = Mutex(state)
      self.finished = finished
    } catch {
      if begun == nil { journal.remove() }
      if isNew { rmdir(folder.path(percentEncoded: false)) }
      throw error
    }
    self.journal = Mutex(journal)
  }

  /// Finds what earlier runs finished of bundles, and opens the files of those that are not whole.
  private static func begin(
    _ wanted: [PreparedBundle], in folder: URL, _ journal: PreparationJournal, _ identity: Digest
  ) throws -> (State, finished: Set<Piece>) {
    var state = State()
    var finished: Set<Piece> = []
    for bundle in wanted {
      let file = folder.appending(path: bundle.name.fileName)
      let isThere = (try? PreparedStore.open(bundle, file, identity: identity)) != nil
      // One that was cut, or came from elsewhere, is none of which the journal tells.
      let begun = BundleFile.size(bundle.name, in: folder)
      if begun.map({ $0 != bundle.bytes }) ?? !isThere { try journal.forget(bundle.name) }
      var missing = 0
      for (tensor, entry) in bundle.tensors.enumerated() {
        for index in entry.hashes.indices {
          let isDone = journal.finished[.init(bundle: bundle.name, tensor: tensor, piece: index)] != nil
          if isDone { finished.insert(Piece(bundle: bundle.name, tensor: tensor, index: index)) } else { missing += 1 }
        }
      }
      state.missing[bundle.name] = missing
      // Whole, and only the manifest was not written any more.
      if isThere && begun == nil && missing == 0 { continue }
      state.files[bundle.name] = try BundleFile(bundle, in: folder, identity: identity)
    }
    return (state, finished)
  }

  /// - Returns: whether there was nothing before.
  private static func make(_ folder: URL) throws -> Bool {
    let isNew = !FileManager.default.fileExists(atPath: folder.path(percentEncoded: false))
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
      throw CheckpointError(
        file: folder.path(percentEncoded: false), subject: "output", expected: "a folder to write",
        found: "\(error.localizedDescription)", hint: "Name a folder that may be made.")
    }
    return isNew
  }

  /// Makes sure that the folder is for prepared models.
  private static func claim(_ folder: URL, startsAnew: Bool) throws {
    // What cannot be listed is not there, or will be refused when it is to be made.
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path(percentEncoded: false))) ?? []
    let isOurs = PreparedFolder.isPrepared(folder) || PreparationJournal.exists(in: folder)
    guard names.isEmpty || isOurs else {
      throw CheckpointError(
        file: folder.path(percentEncoded: false), subject: "output",
        expected: "a new or empty folder, or one that prepare began", found: "other files such as \(names.min()!)",
        hint: "Name another folder.")
    }
    guard startsAnew else { return }
    try PreparationJournal.requireIdle(in: folder)
    let small = PreparedFolder.smallFiles
    // The manifest first: from then on nothing looks finished.
    for name in [PreparedManifest.fileName] + names {
      guard name == PreparedManifest.fileName || small.contains(name) || isBundle(name) else { continue }
      unlink(folder.appending(path: name).path(percentEncoded: false))
    }
    PreparationJournal.discard(in: folder)
  }

  private static func isBundle(_ name: String) -> Bool {
    guard let dot = name.range(of: ".bundle") else { return false }
    let stem = name[..<dot.lowerBound]
    guard let bundle = BundleName(String(stem.hasPrefix(".") ? stem.dropFirst() : stem)) else { return false }
    return name == bundle.fileName || name == bundle.partialName
  }

  /// What is read again before it is taken for right.
  public struct Checks {
    public let pool: ThreadPool
    /// Bytes so far and in all.
    public let progress: ByteProgress

    public init(pool: ThreadPool, progress: @escaping ByteProgress) {
      self.pool = pool
      self.progress = progress
    }
  }

  /// Those of some bundles of the folder's manifest that differ from it.
  private static func damaged(_ bundles: [BundleName], in folder: URL, _ checks: Checks) throws -> [BundleName] {
    guard !bundles.isEmpty else { return [] }
    var files: Set<String> = []
    try PreparedVerification(PreparedManifest(folder: folder), of: folder)
      .run(bundles, pool: checks.pool, progress: checks.progress) { files.insert($0.file) }
    return bundles.filter { files.contains($0.fileName) }
  }

  /// Bundles that the folder's manifest has and that lie there in their size.
  private static func earlierBundles(_ folder: URL, _ subject: PreparationSubject) throws -> [PreparedBundle] {
    guard PreparedFolder.isPrepared(folder) else { return [] }
    let manifest = try PreparedManifest(folder: folder)
    let begun = PreparationSubject(version: subject.version, formats: manifest.formats, source: manifest.source)
    if let difference = subject.difference(from: begun) {
      throw CheckpointError(
        file: folder.lastPathComponent, subject: "output", expected: difference.expected, found: difference.found,
        hint: "Name another folder, give the same arguments as before, or begin anew with --force.")
    }
    return manifest.bundles.filter { bundle in
      let url = folder.appending(path: bundle.name.fileName)
      return (try? PreparedStore.open(bundle, url, identity: manifest.identity)) != nil
    }
  }

  /// Bytes of a bundle that the disk has already.
  private static func present(_ bundle: PreparedBundle, in folder: URL) -> Int {
    PreparedFolder.exists(bundle.name.fileName, in: folder)
      ? bundle.bytes : BundleFile.allocated(bundle.name, in: folder)
  }

  /// Writes a piece. From any thread, each piece once.
  public func write(_ bytes: UnsafeRawBufferPointer, as piece: Piece) throws {
    guard let bundle = bundles[piece.bundle] else { preconditionFailure("\(piece.bundle.text) is not written") }
    let range = bundle.tensors[piece.tensor].range(ofPiece: piece.index)
    precondition(bytes.count == range.count, "\(bytes.count) bytes for a piece of \(range.count)")
    let file = state.withLock { $0.files[piece.bundle] }
    guard let file else { preconditionFailure("\(piece.bundle.text) is whole") }
    let record = PreparationJournal.Piece(bundle: piece.bundle, tensor: piece.tensor, piece: piece.index)
    // Before it is written: where the bytes are a mapped file's, a failing disk shows here, and not as the output's.
    let digest = Digest(of: bytes)
    try file.write(bytes, at: range.lowerBound)
    state.withLock { $0.fresh.append((record, digest)) }
  }

  /// Brings what was written to the disk, notes it, and gives whole bundles their names.
  public func flush() throws {
    let (fresh, files) = state.withLock { state in
      defer { state.fresh = [] }
      return (state.fresh, state.files)
    }
    for bundle in Set(fresh.map(\.0.bundle)).sorted() { try files[bundle]?.sync() }
    if !fresh.isEmpty { try journal.withLock { try $0.add(fresh) } }
    let whole = state.withLock { state in
      for (piece, _) in fresh { state.missing[piece.bundle, default: 0] -= 1 }
      let whole = state.files.filter { state.missing[$0.key] == 0 }
      for name in whole.keys { state.files[name] = nil }
      return whole
    }
    for (_, file) in whole.sorted(by: { $0.key < $1.key }) {
      try file.sync()
      try file.finish()
    }
    if !whole.isEmpty { try Disk.sync(folder: folder) }
  }

  /// Writes small files and the manifest: from here on the folder is a prepared model.
  public func finish(_ checkpoint: Checkpoint) throws -> PreparedManifest {
    try checkpoint.requireUnchanged()
    try flush()
    precondition(state.withLock { $0.files.isEmpty }, "all bundles are whole")
    let finished = journal.withLock { $0.finished }
    var all = Dictionary(uniqueKeysWithValues: earlier.map { ($0.name, $0) })
    for var bundle in bundles.values {
      for tensor in bundle.tensors.indices {
        for piece in bundle.tensors[tensor].hashes.indices {
          let record = PreparationJournal.Piece(bundle: bundle.name, tensor: tensor, piece: piece)
          guard let digest = finished[record] else { preconditionFailure("\(record) is missing") }
          bundle.tensors[tensor].hashes[piece] = digest
        }
      }
      all[bundle.name] = bundle
    }
    let manifest = PreparedManifest(
      version: subject.version, formats: subject.formats, source: subject.source,
      files: try PreparedFolder.copySmallFiles(of: checkpoint, to: folder),
      bundles: all.values.sorted { $0.name < $1.name })
    try Disk.replace(folder.appending(path: PreparedManifest.fileName), with: manifest.json)
    try Disk.sync(folder: folder)
    try journal.withLock { try $0.conclude(Set(manifest.bundles.map(\.name))) }
    return manifest
  }
}

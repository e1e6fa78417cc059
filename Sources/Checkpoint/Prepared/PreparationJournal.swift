import Foundation

/// What a preparation has finished, in the folder that it writes: lines of text behind one that says what is prepared.
/// A line is there only when the piece that it names has reached the disk; one of a bundle's name alone takes back
/// those before it.
package final class PreparationJournal {
  /// A finished piece of a bundle.
  package struct Piece: Hashable {
    let bundle: BundleName
    /// Position of its tensor in the bundle.
    let tensor: Int
    let piece: Int

    package init(bundle: BundleName, tensor: Int, piece: Int) {
      self.bundle = bundle
      self.tensor = tensor
      self.piece = piece
    }
  }

  private static let name = ".preparation"
  private let descriptor: Int32
  private let url: URL
  private let subject: PreparationSubject
  package private(set) var finished: [Piece: Digest] = [:]

  static func exists(in folder: URL) -> Bool { PreparedFolder.exists(name, in: folder) }

  static func discard(in folder: URL) { unlink(folder.appending(path: name).path(percentEncoded: false)) }

  /// Opens the journal of a folder, begun or new, for this process alone.
  ///
  /// - Parameter subject: what is prepared; a journal of something else is refused.
  /// - Throws: ``CheckpointError``.
  package init(folder: URL, subject: PreparationSubject) throws {
    url = folder.appending(path: Self.name)
    self.subject = subject
    descriptor = try Self.locked(url, in: folder)
    let lines = try Self.lines(url)
    guard let first = lines.first else {
      try append(subject.text + "\n")
      return
    }
    if let difference = subject.difference(from: first) {
      throw CheckpointError(
        file: folder.lastPathComponent, subject: "output", expected: difference.expected, found: difference.found,
        hint: "Name another folder, give the same arguments as before, or begin anew with --force.")
    }
    // What follows a damaged line is done again.
    var valid = first.utf8.count + 1
    for line in lines.dropFirst() {
      if let (piece, digest) = Self.parse(line) {
        finished[piece] = digest
      } else if let bundle = BundleName(String(line)) {
        finished = finished.filter { $0.key.bundle != bundle }
      } else {
        break
      }
      valid += line.utf8.count + 1
    }
    guard ftruncate(descriptor, off_t(valid)) == 0, lseek(descriptor, 0, SEEK_END) >= 0 else {
      throw Disk.failure(url, "write it", errno)
    }
  }

  deinit { Disk.closeLocked(descriptor) }

  /// - Throws: ``CheckpointError`` where another process prepares this folder.
  package static func requireIdle(in folder: URL) throws {
    guard exists(in: folder) else { return }
    Disk.closeLocked(try locked(folder.appending(path: name), in: folder))
  }

  /// Opens the journal, made if need be, and keeps others out until it is closed.
  private static func locked(_ url: URL, in folder: URL) throws -> Int32 {
    let descriptor = open(url.path(percentEncoded: false), O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw Disk.failure(url, "create it", errno) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let busy = errno == EWOULDBLOCK
      close(descriptor)
      throw CheckpointError(
        file: folder.lastPathComponent, subject: "output", expected: "a folder that nobody else prepares",
        found: busy ? "another flotilla prepare at work in it" : "a file system without locks",
        hint: busy ? "Wait for its end." : "Prepare on another disk and copy the result.")
    }
    return descriptor
  }

  /// Whole lines; a last one without its line feed was never finished.
  private static func lines(_ url: URL) throws -> [Substring] {
    let bytes = try readSmallFile(url, name: name)
    guard let end = bytes.lastIndex(of: 10) else { return [] }
    return String(decoding: bytes[..<end], as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
  }

  private static func parse(_ line: Substring) -> (Piece, Digest)? {
    let words = line.split(separator: " ", omittingEmptySubsequences: false)
    guard words.count == 4, let bundle = BundleName(String(words[0])), let tensor = Int(words[1]),
      let piece = Int(words[2]), let digest = Digest(hexadecimal: String(words[3]))
    else { return nil }
    return (Piece(bundle: bundle, tensor: tensor, piece: piece), digest)
  }

  /// Adds pieces that have reached the disk, and brings the lines there too.
  package func add(_ pieces: [(Piece, Digest)]) throws {
    for (piece, digest) in pieces { finished[piece] = digest }
    try append(pieces.map { Self.line($0.0, $0.1) }.joined())
  }

  private static func line(_ piece: Piece, _ digest: Digest) -> String {
    "\(piece.bundle.text) \(piece.tensor) \(piece.piece) \(digest)\n"
  }

  /// Forgets a bundle whose file is gone or was changed, also for runs to come.
  package func forget(_ bundle: BundleName) throws {
    guard finished.contains(where: { $0.key.bundle == bundle }) else { return }
    finished = finished.filter { $0.key.bundle != bundle }
    try append(bundle.text + "\n")
  }

  private func append(_ text: String) throws {
    var text = text
    let failed = text.withUTF8 { bytes in
      var done = 0
      while done < bytes.count {
        let count = write(descriptor, bytes.baseAddress! + done, bytes.count - done)
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { return true }
        done += count
      }
      return fdatasync(descriptor) != 0
    }
    if failed { throw Disk.failure(url, "write it", errno) }
  }

  /// The preparation of some bundles is over; what is finished of others is kept for the runs that want them.
  package func conclude(_ bundles: Set<BundleName>) throws {
    let others = finished.filter { !bundles.contains($0.key.bundle) }
      .map { Self.line($0.key, $0.value) }.sorted()
    guard !others.isEmpty else { return remove() }
    try Disk.replace(url, with: Array((subject.text + "\n" + others.joined()).utf8))
  }

  /// For one that holds nothing worth keeping.
  func remove() { unlink(url.path(percentEncoded: false)) }
}

/// What is prepared: the first line of a journal.
public struct PreparationSubject: Sendable, Equatable {
  let version: String
  let formats: String
  let source: PreparedSource
  /// The source's files. A sample of the weights cannot tell that one was changed between two runs.
  let files: [FileStamp]

  public init(version: String, formats: String, source: PreparedSource, files: [FileStamp] = []) {
    self.version = version
    self.formats = formats
    self.source = source
    self.files = files
  }

  /// Of the prepared model, see ``PreparedManifest/identity``.
  var identity: Digest {
    PreparedManifest(version: version, formats: formats, source: source, files: [], bundles: []).identity
  }

  var text: String {
    let json = JSONText.bytes(
      .members([
        "flotilla_prepared": .int(PreparedManifest.formatVersion), "version": .text(version),
        "formats": .text(formats), "source": source.json, "files": .array(files.map(\.json)),
      ]))
    return String(decoding: json, as: UTF8.self)
  }

  /// What differs from an earlier one; nil where nothing does but the source's name.
  func difference(from line: Substring) -> (expected: String, found: String)? {
    guard let fields = try? Fields(try parseJSON(Array(line.utf8), file: "journal"), "journal"),
      let begun = try? PreparationSubject(
        version: fields.text("version", most: 100), formats: fields.text("formats", most: 1000),
        source: PreparedSource(fields.fields("source")),
        files: fields.list("files", most: 1 << 16).map { try FileStamp($0) }),
      (try? fields.integer("flotilla_prepared", 0...Int.max)) == PreparedManifest.formatVersion
    else { return ("a preparation that this version began", "one of another version, or a damaged one") }
    return difference(from: begun) ?? changedFile(since: begun)
  }

  private func changedFile(since begun: PreparationSubject) -> (expected: String, found: String)? {
    let names = Set(files.map(\.name)).union(begun.files.map(\.name)).sorted()
    func stamp(_ name: String, _ files: [FileStamp]) -> FileStamp? { files.first { $0.name == name } }
    guard let changed = names.first(where: { stamp($0, files) != stamp($0, begun.files) }) else { return nil }
    return (
      "the files of \(begun.source.name) as they were when it was begun",
      "\(changed) changed since then, so that pieces of both would be mixed"
    )
  }

  func difference(from begun: PreparationSubject) -> (expected: String, found: String)? {
    if let difference = source.difference(from: begun.source) {
      return (
        "the source \(begun.source.name), from which it was begun",
        "\(source.name): \(difference)"
      )
    }
    if formats != begun.formats { return ("--quant \(begun.formats), as it was begun", "--quant \(formats)") }
    if version != begun.version { return ("flotilla \(begun.version), which began it", "flotilla \(version)") }
    return nil
  }
}

import Checkpoint
import Crypto
import Foundation
import StrictJSON

/// What logits in a file belong to.
public struct LogitsIdentity: Codable, Sendable, Equatable {
  /// Name of the model's folder or file.
  public var model: String
  /// SHA-256 of the configuration, however the weights are stored.
  public var configuration: String
  /// SHA-256 of the tokens of all windows.
  public var text: String
  public var window: Int
  public var windows: Int
  public var vocabulary: Int
  /// Run format of the weights.
  public var format: String

  public init(model: String, _ configuration: ModelConfiguration, plan: PerplexityPlan, format: String) {
    self.model = model
    var stored = configuration
    (stored.quantizationBlock, stored.mtpLayers) = (nil, 0)
    self.configuration = "\(Digest(of: Array(CompactJSON.text(stored.json(storage: .f32)).utf8)))"
    window = plan.window
    windows = plan.windows
    vocabulary = configuration.vocabularySize
    self.format = format
    var hash = SHA256()
    for index in 0..<plan.windows {
      for token in plan.input(index) {
        withUnsafeBytes(of: Int64(token).littleEndian) { hash.update(bufferPointer: $0) }
      }
    }
    text = "\(Digest(hash.finalize()))"
  }

  /// Whether logits of `other` can be compared with these: all but name and format is the same.
  func difference(to other: LogitsIdentity) -> (field: String, mine: String, theirs: String)? {
    guard configuration == other.configuration else {
      return ("configuration of the model", configuration, "\(other.configuration) (\(other.model))")
    }
    for (field, mine, theirs) in [
      ("window", "\(window)", "\(other.window)"),
      ("windows", "\(windows)", "\(other.windows)"), ("text", text, other.text),
      ("vocabulary", "\(vocabulary)", "\(other.vocabulary)"),
    ] where mine != theirs { return (field, mine, theirs) }
    return nil
  }
}

/// Logits of every scored position, `[windows x scored, vocabulary]` f32 in the byte order of the machine, behind a
/// head of JSON. They stay on the disk: only a row at a time is in memory.
///
/// A file with a name has it only once it is whole; until then it lies beside its place, and goes where the run ends.
public final class LogitsFile {
  public let identity: LogitsIdentity
  private let name: String
  /// -1 while there is a pending file.
  private var descriptor: Int32
  /// What is written until it is whole, where the file will have a name.
  private var pending: PendingFile?

  private static let magic = Array("FLOTLOGS".utf8)
  /// Room for magic, length and JSON of the head; rows begin on a page.
  static let headBytes = 4096

  private init(_ identity: LogitsIdentity, _ descriptor: Int32, _ name: String) {
    (self.identity, self.descriptor, self.name) = (identity, descriptor, name)
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  private var rowBytes: Int { identity.vocabulary * MemoryLayout<Float>.stride }
  private var fileBytes: Int {
    Self.headBytes + identity.windows * PerplexityPlan.scored(window: identity.window).count * rowBytes
  }

  /// Makes a file to be written, row by row, and then sealed.
  ///
  /// - Parameter url: nil: a temporary file without a name, which the system removes with this value.
  /// - Throws: ``LogitsFileError``, or `CheckpointError` where the disk has no room.
  public static func create(_ url: URL?, _ identity: LogitsIdentity) throws -> LogitsFile {
    guard let url else { return try temporary(identity) }
    try requireReplaceable(url)
    let file = LogitsFile(identity, -1, url.path(percentEncoded: false))
    file.pending = try PendingFile(url, bytes: file.fileBytes)
    return file
  }

  private static func temporary(_ identity: LogitsIdentity) throws -> LogitsFile {
    let place = FileManager.default.temporaryDirectory.appending(path: "flotilla-\(UUID().uuidString).logits")
    let path = place.path(percentEncoded: false)
    let descriptor = Foundation.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw LogitsFileError(file: path, field: "file", expected: "to write it", found: String(cString: strerror(errno)))
    }
    unlink(path)
    return LogitsFile(identity, descriptor, path)
  }

  /// Checks that a place for logits is free, or holds logits: nothing else is written over.
  ///
  /// - Throws: ``LogitsFileError``.
  public static func requireReplaceable(_ url: URL) throws(LogitsFileError) {
    let path = url.path(percentEncoded: false)
    let descriptor = Foundation.open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else {
      let code = errno
      let folder = url.deletingLastPathComponent().path(percentEncoded: false)
      if code == ENOENT, access(folder, W_OK) == 0 { return }
      throw LogitsFileError(
        file: path, field: "file", expected: "to write it",
        found: String(cString: strerror(code == ENOENT ? errno : code)),
        hint: "name a file in a folder that exists and may be written to")
    }
    defer { close(descriptor) }
    var head = [UInt8](repeating: 0, count: magic.count)
    let count = head.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress!, $0.count, 0) }
    guard count == magic.count, head == magic else {
      throw LogitsFileError(
        file: path, field: "file", expected: "none yet, or logits to write anew", found: "something else",
        hint: "name another file, or remove this one")
    }
  }

  /// Opens what ``create(_:_:)`` and ``seal()`` have left.
  ///
  /// - Parameter wanted: what the logits must belong to, whatever their format.
  /// - Throws: ``LogitsFileError`` that names file and field.
  public static func open(_ url: URL, wanted: LogitsIdentity) throws -> LogitsFile {
    let path = url.path(percentEncoded: false)
    func wrong(_ field: String, _ expected: String, _ found: String) -> LogitsFileError {
      LogitsFileError(file: path, field: field, expected: expected, found: found)
    }
    let descriptor = Foundation.open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw wrong("file", "logits", String(cString: strerror(errno))) }
    var head = [UInt8](repeating: 0, count: headBytes)
    let count = head.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress!, headBytes, 0) }
    let file: LogitsFile
    do {
      guard count == headBytes, head.starts(with: magic) else {
        throw wrong("head", "logits that flotilla perplexity has written to the end", "something else")
      }
      let json = Data(head[magic.count...].prefix { $0 != 0 })
      guard let identity = try? JSONDecoder().decode(LogitsIdentity.self, from: json) else {
        throw wrong("head", "the JSON of an identity", "\(json.count) bytes that are not")
      }
      if let difference = wanted.difference(to: identity) {
        throw wrong(difference.field, difference.mine, difference.theirs)
      }
      file = LogitsFile(identity, descriptor, path)
    } catch {
      close(descriptor)
      throw error
    }
    let size = Int(lseek(descriptor, 0, SEEK_END))
    guard size == file.fileBytes else { throw wrong("size", "\(file.fileBytes) bytes", "\(size)") }
    return file
  }

  /// Writes the head and gives the file its name: now it is whole, and can be read.
  public func seal() throws {
    var head = Self.magic + Array(try JSONEncoder().encode(identity))
    guard head.count < Self.headBytes else {
      throw LogitsFileError(file: name, field: "head", expected: "less than 4096 bytes", found: "\(head.count)")
    }
    head += Array(repeating: 0, count: Self.headBytes - head.count)
    try head.withUnsafeBytes { try write($0, at: 0) }
    guard let pending else { return }
    try pending.finish()
    self.pending = nil
    descriptor = Foundation.open(name, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw LogitsFileError(file: name, field: "file", expected: "to read it", found: String(cString: strerror(errno)))
    }
  }

  /// - Parameters:
  ///   - logits: `[vocabulary]`.
  ///   - row: number of the scored position, over all windows.
  public func write(_ logits: UnsafeBufferPointer<Float>, row: Int) throws {
    precondition(logits.count == identity.vocabulary)
    try write(UnsafeRawBufferPointer(logits), at: Self.headBytes + row * rowBytes)
  }

  public func read(row: Int, into logits: UnsafeMutableBufferPointer<Float>) throws {
    precondition(logits.count == identity.vocabulary && pending == nil)
    let bytes = UnsafeMutableRawBufferPointer(logits)
    try transfer(bytes.count, at: Self.headBytes + row * rowBytes) { done, place in
      pread(descriptor, bytes.baseAddress! + done, bytes.count - done, place)
    }
  }

  private func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
    if let pending { return try pending.write(bytes, at: offset) }
    try transfer(bytes.count, at: offset) { done, place in
      pwrite(descriptor, bytes.baseAddress! + done, bytes.count - done, place)
    }
  }

  /// Calls until all bytes are through.
  private func transfer(_ count: Int, at offset: Int, _ call: (_ done: Int, _ place: off_t) -> Int) throws {
    var done = 0
    while done < count {
      let moved = call(done, off_t(offset + done))
      if moved < 0, errno == EINTR { continue }
      guard moved > 0 else {
        let refusal = moved == 0 ? nil : WriteRefusal(errno)
        var error = LogitsFileError(
          file: name, field: "position \(offset + done)", expected: "\(count - done) bytes more",
          found: refusal?.found ?? "the end")
        if refusal?.isFull == true { (error.hint, error.isFailure) = (WriteRefusal.room, true) }
        throw error
      }
      done += moved
    }
  }
}

/// What is wrong with a file of logits.
public struct LogitsFileError: Error, Equatable, CustomStringConvertible {
  public let file: String
  public let field: String
  public let expected: String
  public let found: String
  public var hint = "--kl-base FORMAT with --logits FILE writes the logits of that format anew"
  /// The system refused: the same command may work later.
  public var isFailure = false

  public var description: String { "\(file): \(field): expected \(expected), found \(found). Hint: \(hint)" }
}

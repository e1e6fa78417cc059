import Foundation
import StrictJSON

extension Journal {
  /// Reads a journal.
  ///
  /// A last line that is not whole or not intact was being written when its writer died: it is left out, and what it
  /// held is generated again. Damage anywhere else is an error.
  ///
  /// - Throws: ``JournalError``.
  public init(path: String) throws(JournalError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw .system(path, "open", errno, hint: "--resume takes a file that --journal has begun.")
    }
    defer { close(descriptor) }
    try self.init(path: path, bytes: try Journal.contents(descriptor, path))
  }

  /// - Throws: ``JournalError`` where it is no plain file or cannot be read.
  static func contents(_ descriptor: Int32, _ path: String) throws(JournalError) -> [UInt8] {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .system(path, "read", errno) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw JournalError(
        path: path, subject: "journal", expected: "a plain file", found: "a folder or a device",
        hint: "Give the name of a file.")
    }
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeMutableBytes {
        pread(descriptor, $0.baseAddress! + done, $0.count - done, off_t(done))
      }
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw .system(path, "read", errno) }
      guard count > 0 else { break }
      done += count
    }
    return Array(bytes[..<done])
  }

  /// - Parameter bytes: all of the file.
  package init(path: String, bytes: [UInt8]) throws(JournalError) {
    var reader = JournalReader(path: path, bytes: bytes)
    self = try reader.read()
  }
}

/// Reads the lines of a journal, from the first on.
struct JournalReader {
  let path: String
  let bytes: [UInt8]
  private var place = 0
  private var line = 0
  /// How many sequences there are as the header says, once it has been read, and how many were found.
  private var sequences: (expected: Int, found: Int)?
  private(set) var checksum = Checksum()

  init(path: String, bytes: [UInt8]) {
    self.path = path
    self.bytes = bytes
  }

  mutating func read() throws(JournalError) -> Journal {
    if let journal = try readIfBegun() { return journal }
    guard let sequences else {
      throw JournalError(
        path: path, line: 1, subject: "header", expected: "a whole line", found: "\(bytes.count) bytes without one",
        hint: "It is no journal, or its run ended before anything was generated: remove it and begin anew.")
    }
    throw JournalError(
      path: path, line: line + 1, subject: "sequences", expected: "\(sequences.expected), as the header says",
      found: "\(sequences.found)",
      hint: "Its run ended before anything was generated: remove it and begin anew.")
  }

  /// - Returns: nil where its writer died before it had written down all sequences.
  mutating func readIfBegun() throws(JournalError) -> Journal? {
    guard let first = try next() else { return nil }
    var journal = Journal(header: try JournalHeader(first))
    while let fields = try next() { try journal.take(fields) }
    sequences = (journal.header.sequences, journal.sequences.count)
    guard journal.sequences.count == journal.header.sequences else { return nil }
    journal.tornBytes = bytes.count - place
    return journal
  }

  /// The next intact line; nil where there is none, or only a torn one.
  private mutating func next() throws(JournalError) -> JournalFields? {
    guard let end = bytes[place...].firstIndex(of: 10) else { return nil }
    let text = bytes[place..<end]
    do {
      try JournalLine.verify(text, &checksum)
    } catch {
      // The header has been on the disk since before the first token.
      if end == bytes.count - 1, line > 0 { return nil }
      throw JournalError(
        path: path, line: line + 1, subject: error.subject, expected: error.expected, found: error.found,
        hint: line == 0
          ? "It is no journal of flotilla, or it is damaged."
          : "It is damaged. Keep the first \(line) lines (head -n \(line)): what they lack is generated again.")
    }
    line += 1
    place = end + 1
    return try parse(text)
  }

  private func parse(_ text: ArraySlice<UInt8>) throws(JournalError) -> JournalFields {
    let value: JSONValue
    do {
      value = try StrictJSON.parse(Array(text))
    } catch {
      throw JournalError(
        path: path, line: line, subject: "JSON", expected: "an object",
        found: "column \(error.column): \(error.reason)", hint: "Another program wrote it.")
    }
    return try JournalFields(value, JournalFields.Place(path: path, line: line))
  }
}

extension Journal {
  /// Takes a line behind the header.
  fileprivate mutating func take(_ fields: JournalFields) throws(JournalError) {
    if fields.has("step") {
      try fields.refuseOthers(["step", "crc"])
      for event in try fields.list("step") { try take(GenerationEvent(event), event) }
    } else {
      guard sequences.count < header.sequences else {
        throw fields.wrong("sequence", "\(header.sequences), as the header says", "one more")
      }
      sequences.append(Sequence(request: try GenerationRequest(fields, number: sequences.count)))
    }
  }

  private mutating func take(_ event: GenerationEvent, _ fields: JournalFields) throws(JournalError) {
    let number: Int
    switch event {
    case .token(let token): number = token.sequence
    case .finished(let sequence, _, _): number = sequence
    case .prefill, .replay: preconditionFailure("journals do not keep these")
    }
    guard sequences.indices.contains(number), sequences[number].finish == nil else {
      throw fields.wrong("sequence", "one that has begun and not ended", "\(number)")
    }
    if case .token(let token) = event {
      let position = sequences[number].request.prompt.count + sequences[number].tokens.count
      guard token.position == position else { throw fields.wrong("position", "\(position)", "\(token.position)") }
      sequences[number].tokens.append(token)
    }
    if case .finished(_, let reason, _) = event { sequences[number].finish = reason }
    events.append(event)
  }
}

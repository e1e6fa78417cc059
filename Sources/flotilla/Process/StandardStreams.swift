import Foundation
import Kernels

/// Bytes to standard output, gathered until ``flush()``; a full disk is an error, not silence.
enum StandardOutput {
  /// Commands run on the main thread only.
  nonisolated(unsafe) private static var pending: [UInt8] = []
  private static let mostPending = 64 << 10

  static func write(_ text: String) throws { try write(text.utf8) }

  static func write(_ bytes: some Sequence<UInt8>) throws {
    pending.append(contentsOf: bytes)
    if pending.count >= mostPending { try flush() }
  }

  /// Hands everything over to the system.
  static func flush() throws {
    defer { pending.removeAll(keepingCapacity: true) }
    try writeAll(LauncherLink.current?.output(pending) ?? pending, to: STDOUT_FILENO)
  }

  fileprivate static func writeAll(_ bytes: [UInt8], to descriptor: Int32) throws(OutputError) {
    let code = Descriptor.write(bytes, to: descriptor)
    if code != 0 { throw OutputError(code: code) }
  }
}

/// The three descriptors that every process is given.
enum StandardDescriptors {
  /// Puts something that fails on use where one was closed, so that no file opened later takes its number.
  static func reserve() {
    let uses = [(STDIN_FILENO, O_WRONLY), (STDOUT_FILENO, O_RDONLY), (STDERR_FILENO, O_RDONLY)]
    for (descriptor, mode) in uses where fcntl(descriptor, F_GETFD) < 0 { _ = open("/dev/null", mode) }
  }
}

/// Text to standard error, at once.
enum StandardError {
  static func write(_ text: String) {
    // Nobody is left to be told about an error here.
    try? StandardOutput.writeAll(Array(text.utf8), to: STDERR_FILENO)
  }
}

/// Standard output does not take more.
struct OutputError: Error, CustomStringConvertible {
  let code: Int32
  var description: String { "standard output: \(String(cString: strerror(code)))" }
}

/// What is wrong with standard input.
struct InputError: Error, CustomStringConvertible {
  let description: String

  init(_ text: String, hint: String? = nil) { description = text + (hint.map { ". Hint: \($0)" } ?? "") }

  /// - Parameter line: from 1.
  init(line: Int, _ text: String, hint: String? = nil) {
    self.init("standard input: line \(line): \(text)", hint: hint)
  }
}

/// Standard input as it comes.
enum StandardInput {
  /// Everything up to the end.
  static func readAll() throws -> [UInt8] {
    sayIfTerminal()
    var all: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while case let count = try read(into: &chunk), count > 0 { all.append(contentsOf: chunk[..<count]) }
    return all
  }

  /// Everything up to the end, as text.
  ///
  /// - Throws: ``InputError`` where it is not UTF-8.
  static func readText() throws -> String {
    let bytes = try readAll()
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw InputError(
        "standard input: expected UTF-8, found byte 0x\(String(bytes[firstInvalid(bytes)], radix: 16)) at offset "
          + "\(firstInvalid(bytes))", hint: "Convert the text, for example with iconv -t UTF-8")
    }
    return text
  }

  /// Whether there is something to read, or the end, within so many seconds.
  static func isReady(within seconds: Double) -> Bool {
    var wait = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
    return poll(&wait, 1, Int32(seconds * 1000)) != 0
  }

  /// What is there; nothing at the end.
  static func readSome() throws -> [UInt8] {
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    let count = try read(into: &chunk)
    return Array(chunk[..<count])
  }

  /// Calls `body` with every line, without its line feed, as soon as it is there. A last line without a line
  /// feed counts.
  static func forEachLine(_ body: (_ number: Int, _ line: [UInt8]) throws -> Void) throws {
    sayIfTerminal()
    var pending: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    var number = 0
    while case let count = try read(into: &chunk), count > 0 {
      var start = 0
      while let end = chunk[start..<count].firstIndex(of: 10) {
        pending.append(contentsOf: chunk[start..<end])
        start = end + 1
        number += 1
        try body(number, pending)
        pending.removeAll(keepingCapacity: true)
      }
      pending.append(contentsOf: chunk[start..<count])
    }
    if !pending.isEmpty { try body(number + 1, pending) }
  }

  /// Waiting for somebody to type looks like standing still.
  private static func sayIfTerminal() {
    if LauncherLink.current?.terminal.hasInput ?? (isatty(STDIN_FILENO) == 1) {
      StandardError.write("Reading standard input from the terminal; Ctrl-D ends it.\n")
    }
  }

  private static func read(into buffer: inout [UInt8]) throws(InputError) -> Int {
    try LauncherLink.takeInput()
    while true {
      let count = buffer.withUnsafeMutableBytes { Foundation.read(STDIN_FILENO, $0.baseAddress!, $0.count) }
      if count >= 0 { return count }
      guard errno == EINTR else { throw InputError("standard input: \(String(cString: strerror(errno)))") }
    }
  }

  /// Offset of the first byte that is not part of valid UTF-8.
  private static func firstInvalid(_ bytes: [UInt8]) -> Int {
    var decoder = UTF8()
    var iterator = bytes.makeIterator()
    var offset = 0
    while true {
      switch decoder.decode(&iterator) {
      case .scalarValue(let scalar): offset += UTF8.width(scalar)
      case .emptyInput, .error: return min(offset, bytes.count - 1)
      }
    }
  }
}

import Checkpoint
import DeepSeek
import Foundation
import Glibc
import Kernels

/// Writes which experts ran, a block for each step. Memory is reserved at the start: a step allocates nothing.
public final class RoutingRecorder: RoutingTap {
  private let file: RoutingOutput
  private let header: RoutingHeader
  /// Position in the header's layers of each layer of the model, or -1.
  private let position: [Int]
  /// The block that is being filled: 8 bytes of counts, then `[rows, layers, k]`, then 4 bytes of checksum.
  private var block: [UInt8]
  private static let (front, back) = (8, 4)

  /// - Parameters:
  ///   - file: new.
  ///   - mostRows: of a step.
  /// - Throws: ``RoutingRecordError``.
  public init(_ file: RoutingOutput, _ header: RoutingHeader, mostRows: Int) throws {
    self.file = file
    self.header = header
    var position = [Int](repeating: -1, count: (header.layers.last ?? 0) + 1)
    for (index, layer) in header.layers.enumerated() { position[layer] = index }
    self.position = position
    block = []
    block.reserveCapacity(Self.front + mostRows * header.tokenBytes + Self.back)
    block.append(contentsOf: repeatElement(0, count: Self.front + mostRows * header.tokenBytes))
    try file.write(header.line)
  }

  /// - Parameter session: on the coordinator's rank.
  /// - Throws: ``RoutingRecordError``.
  public convenience init(_ file: RoutingOutput, of session: RunSession) throws {
    let header = RoutingHeader(
      model: session.options.model.lastPathComponent, checkpoint: session.checkpoint.fingerprint,
      isPhantom: session.checkpoint.isPhantom, session.configuration)
    try self.init(file, header, mostRows: session.limits.prefillChunk + session.limits.maxSequences)
  }

  public func routed(layer: Int, rows: Range<Int>, _ routing: Routing) {
    let (k, width) = (header.expertsPerToken, header.numberBytes)
    let layers = header.layers.count
    for (token, row) in rows.enumerated() {
      var place = Self.front + (row * layers + position[layer]) * k * width
      for slot in routing.slots(of: token) {
        let expert = routing.experts[slot]
        block[place] = UInt8(truncatingIfNeeded: expert)
        if width == 2 { block[place + 1] = UInt8(truncatingIfNeeded: expert >> 8) }
        place += width
      }
    }
  }

  /// Writes the block of a step.
  ///
  /// - Parameter decodeRows: those at the front that were generated before, not read as part of a prompt.
  /// - Throws: ``RoutingRecordError`` where the file cannot be written.
  package func stepDone(rows: Int, decodeRows: Int) throws(RoutingRecordError) {
    guard rows > 0 else { return }
    let end = Self.front + rows * header.tokenBytes
    put(UInt32(rows), at: 0)
    put(UInt32(decodeRows), at: 4)
    var checksum = Checksum()
    checksum.update(block[..<end])
    let whole = block.count
    block.removeLast(whole - end)
    for byte in 0..<4 { block.append(UInt8(truncatingIfNeeded: checksum.value >> (8 * byte))) }
    defer {
      block.removeLast(Self.back)
      block.append(contentsOf: repeatElement(0, count: whole - end))
    }
    try file.write(block)
  }

  private func put(_ value: UInt32, at place: Int) {
    for byte in 0..<4 { block[place + byte] = UInt8(truncatingIfNeeded: value >> (8 * byte)) }
  }
}

/// The file of a routing record, opened before the run: a path that cannot be written to is known before the work.
public final class RoutingOutput {
  public let path: String
  private let descriptor: Int32
  private static let place = "--record-routing names a new file in a folder that exists and may be written to"

  /// One that stays empty goes again.
  ///
  /// - Throws: ``RoutingRecordError``, also where there is something already.
  public init(path: String) throws(RoutingRecordError) {
    self.path = path
    descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard descriptor < 0 else { return }
    let code = errno
    guard code == EEXIST else {
      throw RoutingRecordError(path, "make a new file", WriteRefusal(code), hint: Self.place)
    }
    throw RoutingRecordError(
      path, "routing record", expected: "to make a new file", found: "one that is there", hint: Self.place)
  }

  deinit {
    if lseek(descriptor, 0, SEEK_END) == 0 { unlink(path) }
    close(descriptor)
  }

  func write(_ bytes: [UInt8]) throws(RoutingRecordError) {
    let code = Descriptor.write(bytes, to: descriptor)
    guard code != 0 else { return }
    throw RoutingRecordError(path, "write", WriteRefusal(code), hint: "Check its folder")
  }
}

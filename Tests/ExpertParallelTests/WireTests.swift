import DeepSeek
import ExpertParallel
import Foundation
import Kernels
import Testing

@Suite struct WireTests {
  static let shape = WireShape(hidden: 3, experts: 12, expertsPerToken: 2, layers: 4, ranks: 3, epoch: 7)
  static func exchange() -> InProcessExchange { .loopback() }

  /// Mutants of each kind; FLOTILLA_FUZZ=N for more.
  static let mutants = ProcessInfo.processInfo.environment["FLOTILLA_FUZZ"].flatMap { Int($0) } ?? 100_000

  static func header(_ kind: MessageKind, tokens: Int, rows: Int) -> WireHeader {
    var header = WireHeader(kind, epoch: shape.epoch)
    (header.layer, header.batch, header.firstToken, header.tokens, header.rows) = (2, 5, 9, tokens, rows)
    return header
  }

  private static func sliceHeader(_ kind: MessageKind, tokens: Int) -> WireHeader {
    var header = header(kind, tokens: tokens, rows: tokens)
    header.firstToken = 0
    return header
  }

  /// A valid message of a kind, with random content.
  static func valid(_ kind: MessageKind, _ exchange: any Exchange, _ random: inout SplitMix64) -> Message {
    let tokens = Int.random(in: 1...5, using: &random)
    let message = exchange.message(capacity: 4096)
    message.source = 1
    message.base.initializeMemory(as: UInt8.self, repeating: 0, count: message.capacity)
    switch kind {
    case .activations:
      fill(
        ActivationsMessage(writing: message, header: header(kind, tokens: tokens, rows: tokens), shape: shape).rows,
        &random)
    case .routing:
      var header = header(kind, tokens: tokens, rows: 0)
      header.hasLogits = Bool.random(using: &random)
      let routing = RoutingMessage(writing: message, header: header, shape: shape)
      for token in 0..<tokens { choose(routing.experts, token, &random) }
    case .dispatch:
      let rows = Int.random(in: 1...tokens, using: &random)
      let dispatch = DispatchMessage(
        writing: message, header: header(kind, tokens: tokens, rows: rows), shape: shape)
      for row in 0..<rows {
        dispatch.tokens[row] = UInt32(row + tokens - rows)
        dispatch.slots[row] = UInt32.random(in: 1...3, using: &random)
        choose(dispatch.experts, row, &random)
        for slot in 0..<2 where dispatch.slots[row] >> UInt32(slot) & 1 == 1 {
          dispatch.weights[row * 2 + slot] = 0.5
        }
      }
      fill(dispatch.rows.floats, &random)
    case .slice:
      let input = ActivationBuffer(capacity: tokens, columns: 3)
      fill(input.rows(tokens), &random)
      let output = ActivationBuffer(capacity: tokens, columns: 1)
      let product = SlicedProduct(.head, layer: 2, input: .f32(input.rows(tokens)), output: output.rows(tokens))
      withExtendedLifetime((input, output)) {
        _ = SliceMessage(writing: message, header: sliceHeader(kind, tokens: tokens), product)
      }
    case .sliceRows:
      fill(
        SliceRowsMessage(writing: message, header: sliceHeader(kind, tokens: tokens), part: .down, rows: 5).rows,
        &random)
    default:
      let sums = PartialSumsMessage(
        writing: message, header: header(kind, tokens: tokens, rows: tokens * 2), shape: shape)
      for row in 0..<tokens * 2 {
        sums.tokens[row] = UInt32(row / 2)
        sums.slots[row * 2] = UInt16(row % 2)
        sums.slots[row * 2 + 1] = UInt16(row % 2 + 1)
      }
      fill(sums.rows, &random)
    }
    return message
  }

  private static func choose(
    _ experts: UnsafeMutableBufferPointer<UInt16>, _ row: Int, _ random: inout SplitMix64
  ) {
    let low = UInt16.random(in: 0..<11, using: &random)
    experts[row * 2] = low
    experts[row * 2 + 1] = .random(in: low + 1..<12, using: &random)
  }

  private static func fill(_ rows: ActivationRows, _ random: inout SplitMix64) {
    for row in 0..<rows.count {
      for column in 0..<rows.columns { rows[row][column] = .random(in: -1...1, using: &random) }
    }
  }

  /// Damages a message: bytes, numbers that are likely to hurt, length.
  static func mutate(_ message: Message, _ random: inout SplitMix64) {
    for _ in 0..<Int.random(in: 1...3, using: &random) {
      switch Int.random(in: 0..<5, using: &random) {
      case 0: message.count = Int.random(in: 0...message.capacity, using: &random)
      case 1, 2:
        let place = Int.random(in: 0..<max(message.count, 32) / 4, using: &random) * 4
        let value = [0, 1, 2, 3, 11, 12, 255, 65535, 1 << 31, .max].randomElement(using: &random)! as UInt32
        message.base.storeBytes(of: value, toByteOffset: place, as: UInt32.self)
      case 3:
        let place = Int.random(in: 4..<max(message.count, 32), using: &random)
        message.base.storeBytes(of: .random(in: 0...255, using: &random), toByteOffset: place, as: UInt8.self)
      default:
        let place = Int.random(in: 8..<max(message.count, 32) / 2, using: &random) * 2
        message.base.storeBytes(of: .random(in: 0...13, using: &random), toByteOffset: place, as: UInt16.self)
      }
    }
  }

  /// Reads a message and touches all that it promises.
  static func read(_ message: Message, _ kind: MessageKind) throws {
    switch kind {
    case .activations:
      let found = try ActivationsMessage(reading: message, shape: shape)
      #expect(found.rows.count == found.header.tokens && found.header.layer < shape.layers)
      touch(found.rows, message)
    case .routing:
      let found = try RoutingMessage(reading: message, shape: shape)
      for token in 0..<found.header.tokens {
        #expect(found.experts[token * 2] < found.experts[token * 2 + 1] && found.experts[token * 2 + 1] < 12)
      }
      #expect(found.logits.count == (found.header.hasLogits ? found.header.tokens * 12 : 0))
      #expect(UnsafeRawPointer(found.experts.baseAddress! + found.experts.count) == message.base + message.count)
    case .dispatch:
      let found = try DispatchMessage(reading: message, shape: shape)
      #expect(found.tokens.allSatisfy { $0 < found.header.tokens } && found.slots.allSatisfy { 1...3 ~= $0 })
      touch(found.rows.floats, message)
    case .slice:
      let found = try SliceMessage(reading: message, shape: shape) { _, layer in
        layer == 3 ? nil : SliceShape(columns: 3, encoding: .f32, rows: 5)
      }
      touch(found.input.floats, message)
    case .sliceRows:
      touch(try SliceRowsMessage(reading: message, shape: shape, rows: 5).rows, message)
    default:
      let found = try PartialSumsMessage(reading: message, shape: shape)
      #expect(found.tokens.allSatisfy { $0 < found.header.tokens } && found.slots.allSatisfy { $0 <= 2 })
      touch(found.rows, message)
    }
  }

  private static func touch(_ rows: ActivationRows, _ message: Message) {
    #expect(UnsafeRawPointer(rows.base + rows.count * rows.stride) == message.base + message.count)
    #expect(Int(bitPattern: rows.base) % 64 == 0)
  }

  static let dataKinds: [MessageKind] = [.activations, .routing, .dispatch, .partialSums, .slice, .sliceRows]

  @Test(arguments: dataKinds)
  func validMessagesAreRead(kind: MessageKind) throws {
    var random = SplitMix64(1)
    let exchange = Self.exchange()
    for _ in 0..<1000 {
      let message = Self.valid(kind, exchange, &random)
      try Self.read(message, kind)
      message.recycle()
    }
  }

  @Test(arguments: dataKinds)
  func mutantsAreReadOrRefused(kind: MessageKind) {
    var random = SplitMix64(UInt64(kind.rawValue))
    let exchange = Self.exchange()
    var refused = 0
    for _ in 0..<Self.mutants {
      let message = Self.valid(kind, exchange, &random)
      Self.mutate(message, &random)
      do { try Self.read(message, kind) } catch let error as WireError {
        refused += 1
        if error.source != 1 || error.field.isEmpty { Issue.record("\(error)") }
      } catch { Issue.record("\(error)") }
      message.recycle()
    }
    #expect(refused > Self.mutants / 2 && refused < Self.mutants)
  }

  /// Whole ranks take mutants of every kind, service messages too, and answer with errors or work.
  @Test(arguments: MessageKind.allCases)
  func mutantsNeverCrashARank(kind: MessageKind) throws {
    var random = SplitMix64(UInt64(kind.rawValue) + 100)
    let placement = try Placement.contiguous(experts: 12, ranks: 3).dividing(among: [1, 2])
    for round in 0..<max(Self.mutants / 1000, 1) {
      // The receiver: coordinator, router or host, each with all that it may be doing.
      let fleet = Fleet(shape: Self.shape, placement: placement)
      let receiver = fleet.nodes[round % 3]
      var tickets = 0
      for _ in 0..<1000 {
        let message = Self.anyMessage(kind, receiver.exchange, &random)
        if Int.random(in: 0..<10, using: &random) > 0 { Self.mutate(message, &random) }
        if receiver.exchange.rank == 0, tickets < 3 {
          // Batches under way, which answers may name.
          tickets += 1
          _ = try? fleet.dispatch(randomTokens(20, 3, &random), layer: 2)
        }
        do {
          let sender = Int.random(in: 0..<3, using: &random)
          fleet.network.exchange(of: sender).send(message, to: receiver.exchange.rank)
          while try receiver.pump() {}
        } catch is WireError {
        } catch is FabricError {}
      }
    }
  }

  static func anyMessage(_ kind: MessageKind, _ exchange: any Exchange, _ random: inout SplitMix64) -> Message {
    if dataKinds.contains(kind) {
      let message = valid(kind, exchange, &random)
      message.base.storeBytes(of: UInt32.random(in: 0...2, using: &random), toByteOffset: 12, as: UInt32.self)
      return message
    }
    let message = exchange.message(capacity: 4096)
    message.base.initializeMemory(as: UInt8.self, repeating: 0, count: message.capacity)
    message.count = 64
    _ = ActivationsMessage(
      writing: message, header: header(.activations, tokens: 1, rows: 1), shape: shape)
    message.base.storeBytes(of: kind.rawValue, toByteOffset: 5, as: UInt8.self)
    message.count = Int.random(in: 32...80, using: &random)
    return message
  }

  /// Payloads with a valid header and mutated JSON. Decoding is slow: fewer mutants.
  @Test(arguments: [MessageKind.hello, .statistics])
  func mutatedPayloadsAreReadOrRefused(kind: MessageKind) throws {
    var random = SplitMix64(UInt64(kind.rawValue))
    func json(_ value: some Encodable) throws -> String {
      String(decoding: try JSONEncoder().encode(value), as: UTF8.self)
    }
    let text =
      kind == .hello
      ? try json(Agreement([.init("a", "b", hint: "")], host: "n", process: 7, threads: 2, failure: "f", lacks: ["m"]))
      : try json(RankStatistics(rank: 1, host: "n", roles: ["x"]))
    let exchange = Self.exchange()
    var refused = 0
    let mutants = Self.mutants / 5
    for _ in 0..<mutants {
      let message = Self.anyMessage(kind, exchange, &random)
      message.count = 32 + text.utf8.count
      UnsafeMutableRawBufferPointer(rebasing: message.mutableBytes[32...]).copyBytes(from: text.utf8)
      for _ in 0..<Int.random(in: 0...2, using: &random) {
        let place = Int.random(in: 32..<message.count, using: &random)
        message.base.storeBytes(of: .random(in: 0...127, using: &random), toByteOffset: place, as: UInt8.self)
      }
      do {
        if kind == .hello {
          _ = try ServiceMessage.decode(Agreement.self, from: message, kind)
        } else {
          _ = try ServiceMessage.decode(RankStatistics.self, from: message, kind)
        }
      } catch { refused += 1 }
      message.recycle()
    }
    #expect(refused > mutants / 4 && refused < mutants)
  }

  /// The bytes of the format do not change by accident.
  @Test func aDispatchByteForByte() {
    let message = Self.exchange().message(capacity: 200)
    message.base.initializeMemory(as: UInt8.self, repeating: 0, count: 200)
    var header = Self.header(.dispatch, tokens: 4, rows: 1)
    header.batch = 0x0102_0304
    let dispatch = DispatchMessage(writing: message, header: header, shape: Self.shape)
    dispatch.tokens[0] = 3
    dispatch.slots[0] = 2
    dispatch.weights[1] = 0.5
    (dispatch.experts[0], dispatch.experts[1]) = (4, 11)
    for column in 0..<3 { dispatch.rows.floats[0][column] = 1 }
    #expect(
      Array(message.bytes) == [
        0x46, 0x4C, 0x4F, 0x54, 3, 3, 2, 0, 7, 0, 0, 0, 4, 3, 2, 1,
        9, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
        3, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x3F,
        4, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0x80, 0x3F, 0, 0, 0x80, 0x3F, 0, 0, 0x80, 0x3F,
      ])
  }

  /// q8 rows travel as the kernels read them, and are not taken for f32 ones.
  @Test func anEncodedDispatch() throws {
    let shape = WireShape(
      hidden: 40, encoding: .q8, experts: 12, expertsPerToken: 2, layers: 4, ranks: 3, epoch: 7)
    let message = Self.exchange().message(capacity: 1024)
    message.base.initializeMemory(as: UInt8.self, repeating: 0, count: 1024)
    let dispatch = DispatchMessage(writing: message, header: Self.header(.dispatch, tokens: 1, rows: 1), shape: shape)
    (dispatch.slots[0], dispatch.experts[1]) = (3, 4)
    // 64 codes, two sums of 32 and two of 16, a scale: 76 bytes, on whole cache lines.
    #expect(message.count == 64 + 128 && message.bytes[30] == 1)
    #expect(try DispatchMessage(reading: message, shape: shape).rows.bytes.base == message.base + 64)
    let plain = WireShape(hidden: 40, experts: 12, expertsPerToken: 2, layers: 4, ranks: 3, epoch: 7)
    let error = #expect(throws: WireError.self) { try DispatchMessage(reading: message, shape: plain) }
    #expect(error?.field == "encoding" && error?.expected == "f32" && error?.found == "q8")
    message.base.storeBytes(of: 2, toByteOffset: 30, as: UInt8.self)
    #expect(throws: WireError.self) { try DispatchMessage(reading: message, shape: shape) }
  }

  @Test func errorsNameRankKindAndField() {
    var random = SplitMix64(1)
    let message = Self.valid(.routing, Self.exchange(), &random)
    message.count -= 1
    let error = #expect(throws: WireError.self) { try RoutingMessage(reading: message, shape: Self.shape) }
    #expect(error?.source == 1 && error?.kind == .routing && error?.field == "length")
    message.base.storeBytes(of: 9, toByteOffset: 4, as: UInt8.self)
    let version = #expect(throws: WireError.self) { try RoutingMessage(reading: message, shape: Self.shape) }
    #expect(
      version?.description == "unreadable message from rank 1: version: expected 3 "
        + "(the same flotilla on every rank), found 9")
  }

  @Test func everyShapeHasRoomForOneToken() {
    for (hidden, experts, k) in [(1, 1, 1), (7168, 256, 8), (2, 65536, 32), (1 << 24, 4, 2)] {
      let shape = WireShape(
        hidden: hidden, experts: experts, expertsPerToken: k, layers: 1, ranks: 1, maxMessageBytes: 0)
      let (tokens, rows) = (shape.maxTokensPerMessage, shape.maxRowsPerMessage)
      #expect(tokens >= 1 && rows >= 1)
      let largest = [
        ActivationsMessage.byteCount(tokens: tokens, shape: shape),
        RoutingMessage.byteCount(tokens: tokens, hasLogits: true, shape: shape),
        DispatchMessage.byteCount(rows: tokens, shape: shape),
        PartialSumsMessage.byteCount(rows: rows, shape: shape),
      ].max()!
      #expect(largest <= shape.maxMessageBytes)
      // Whatever the prompt chunk: the exchange never refuses what the roles send, for any hidden size below 16 million.
      if hidden < 1 << 24 { #expect(shape.maxMessageBytes <= MPIExchange.messageLimit) }
    }
  }
}

extension ProductInput {
  /// Rows that are not encoded.
  var floats: ActivationRows {
    guard case .f32(let rows) = self else { preconditionFailure("encoded rows") }
    return rows
  }
}

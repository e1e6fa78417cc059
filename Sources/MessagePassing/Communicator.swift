import CMPI
import Glibc

/// The ranks of the job, and messages of bytes between them. Only the thread that started MPI may use it.
public final class Communicator {
  public let rank: Int
  public let size: Int
  /// The host name of every rank.
  public let hostNames: [String]
  /// The ranks on this host.
  public let localRanks: LocalRanks
  private var handle: cmpi_communicator
  private let thread: pthread_t

  /// Which of the ranks that share this host one is.
  public struct LocalRanks: Sendable, Equatable {
    /// Of the whole job, in the order of `index`.
    public let ranks: [Int]
    public let index: Int

    public var count: Int { ranks.count }
  }

  init() throws(MPIError) {
    thread = pthread_self()
    handle = cmpi_communicator(raw: nil)
    try MPIError.check(cmpi_duplicate(cmpi_world(), &handle), "MPI_Comm_dup")
    (rank, size) = try Self.place(in: handle)

    var host = cmpi_communicator(raw: nil)
    try MPIError.check(cmpi_split_shared(handle, &host), "MPI_Comm_split_type")
    let local = try Self.place(in: host)
    let ranks = try Self.allGather(Array("\(rank)".utf8), in: host, size: local.size, timeout: Self.patience)
      .map { Int(String(decoding: $0, as: UTF8.self)) ?? 0 }
    try MPIError.check(cmpi_free(&host), "MPI_Comm_free")
    localRanks = LocalRanks(ranks: ranks, index: local.rank)

    let name = MPIError.string(capacity: 512) { _ = cmpi_processor_name($0, $1) }
    hostNames = try Self.allGather(Array(name.utf8), in: handle, size: size, timeout: Self.patience)
      .map { String(decoding: $0, as: UTF8.self) }
  }

  /// How long start-up waits for the other ranks.
  public static let patience = Duration.seconds(60)

  private static func place(in handle: cmpi_communicator) throws(MPIError) -> (rank: Int, size: Int) {
    var rank: Int32 = 0
    var size: Int32 = 0
    try MPIError.check(cmpi_rank(handle, &rank), "MPI_Comm_rank")
    try MPIError.check(cmpi_size(handle, &size), "MPI_Comm_size")
    return (Int(rank), Int(size))
  }

  func free() throws(MPIError) { try MPIError.check(cmpi_free(&handle), "MPI_Comm_free") }

  @inline(__always)
  private func assertThread() {
    assert(pthread_equal(thread, pthread_self()) != 0, "MPI belongs to the thread that started it")
  }

  // MARK: Messages

  /// Sends the first `count` bytes at `base`, which `buffer` keeps alive.
  /// The request owns `buffer` until it is done.
  public func send<Buffer: AnyObject>(
    _ buffer: Buffer, base: UnsafeRawPointer, count: Int, to rank: Int, tag: Int32
  ) throws(MPIError) -> SendRequest<Buffer> {
    assertThread()
    var request = cmpi_request(raw: nil)
    let length = try Self.length(count, "MPI_Isend")
    try MPIError.check(
      cmpi_begin_send(base, length, Int32(truncatingIfNeeded: rank), tag, handle, &request),
      "MPI_Isend to rank \(rank)")
    return SendRequest(destination: rank, transfer: Transfer(request: request, buffer: buffer))
  }

  /// Takes the next message of any sender out of the queue if one is there.
  public func match(tag: Int32? = nil) throws(MPIError) -> MatchedMessage? {
    assertThread()
    var found = false
    var message = cmpi_message(raw: nil)
    var envelope = cmpi_envelope()
    try MPIError.check(cmpi_match(tag ?? -1, handle, &found, &message, &envelope), "MPI_Improbe")
    guard found else { return nil }
    return MatchedMessage(
      envelope: Envelope(
        source: Int(envelope.source), tag: envelope.tag,
        count: envelope.count < 0 ? .max : Int(envelope.count)),
      message: message)
  }

  /// Receives a matched message at `base`, which `buffer` keeps alive.
  /// The request owns `buffer` until it is done.
  /// - Precondition: there is room for `matched.envelope.count` bytes.
  public func receive<Buffer: AnyObject>(
    _ matched: consuming MatchedMessage, into buffer: Buffer, base: UnsafeMutableRawPointer
  ) throws(MPIError) -> ReceiveRequest<Buffer> {
    assertThread()
    let envelope = matched.envelope
    var message = matched.message
    var request = cmpi_request(raw: nil)
    let length = try Self.length(envelope.count, "MPI_Imrecv")
    try MPIError.check(
      cmpi_begin_receive(base, length, &message, &request), "MPI_Imrecv from rank \(envelope.source)")
    return ReceiveRequest(
      envelope: envelope, transfer: Transfer(request: request, buffer: buffer))
  }

  private static func length(_ count: Int, _ call: String) throws(MPIError) -> Int32 {
    guard let length = Int32(exactly: count), length >= 0 else {
      throw MPIError(code: 0, text: "\(count) bytes are more than MPI can count", call: call)
    }
    return length
  }

  // MARK: Start-up

  /// What `root` gives, on every rank. All ranks call it.
  public func broadcast(
    _ bytes: [UInt8], root: Int, timeout: Duration = patience
  ) throws(MPIError) -> [UInt8] {
    assertThread()
    let deadline = ContinuousClock.now + timeout
    func share(_ buffer: Bytes) throws(MPIError) {
      var request = cmpi_request(raw: nil)
      try MPIError.check(
        cmpi_begin_broadcast(
          buffer.base, Int32(buffer.count), Int32(truncatingIfNeeded: root), handle, &request),
        "MPI_Ibcast from rank \(root)")
      try Self.wait(Transfer(request: request, buffer: buffer), until: deadline, "MPI_Ibcast")
    }
    let length = Bytes(count: 8)
    length.base.storeBytes(of: Int64(try Self.length(bytes.count, "MPI_Ibcast")), as: Int64.self)
    try share(length)
    let count = Int(length.base.load(as: Int64.self))
    let buffer = Bytes(count: count)
    if rank == root { buffer.fill(bytes) }
    try share(buffer)
    return buffer.array(0..<count)
  }

  /// What every rank gives, in the order of ranks. All ranks call it; lengths may differ.
  public func allGather(
    _ bytes: [UInt8], timeout: Duration = patience
  ) throws(MPIError) -> [[UInt8]] {
    assertThread()
    return try Self.allGather(bytes, in: handle, size: size, timeout: timeout)
  }

  private static func allGather(
    _ bytes: [UInt8], in handle: cmpi_communicator, size: Int, timeout: Duration
  ) throws(MPIError) -> [[UInt8]] {
    let deadline = ContinuousClock.now + timeout
    func gather(_ mine: Bytes) throws(MPIError) -> Bytes {
      let count = try Self.length(mine.count, "MPI_Iallgather")
      let all = Bytes(count: mine.count * size)
      var request = cmpi_request(raw: nil)
      try MPIError.check(
        cmpi_begin_allgather(mine.base, count, all.base, handle, &request), "MPI_Iallgather")
      all.companion = mine
      try wait(Transfer(request: request, buffer: all), until: deadline, "MPI_Iallgather")
      return all
    }
    let length = Bytes(count: 8)
    length.base.storeBytes(of: Int64(bytes.count), as: Int64.self)
    let lengths = try gather(length)
    let counts = (0..<size).map { Int(lengths.base.load(fromByteOffset: 8 * $0, as: Int64.self)) }
    let stride = counts.max() ?? 0
    let mine = Bytes(count: stride)
    mine.fill(bytes)
    let all = try gather(mine)
    return counts.enumerated().map { all.array($0 * stride..<$0 * stride + $1) }
  }

  /// Waits without holding a core: ranks may outnumber cores.
  private static func wait(
    _ transfer: consuming Transfer<Bytes>, until deadline: ContinuousClock.Instant, _ call: String
  ) throws(MPIError) {
    var transfer = transfer
    var polls = 0
    while try transfer.test({ call }) == nil {
      polls += 1
      if polls < 100 { sched_yield() } else { usleep(200) }
      if polls % 64 == 0, ContinuousClock.now > deadline {
        throw MPIError(code: 0, text: "the other ranks did not take part in time", call: call)
      }
    }
  }
}

/// Memory of its own for a collective.
private final class Bytes {
  let base: UnsafeMutableRawPointer
  let count: Int
  /// Kept alive as long as this one.
  var companion: Bytes?

  init(count: Int) {
    self.count = count
    base = .allocate(byteCount: max(count, 8), alignment: 64)
    base.initializeMemory(as: UInt8.self, repeating: 0, count: max(count, 8))
  }

  deinit { base.deallocate() }

  func fill(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { base.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(base), byteCount: $0.count) }
  }

  func array(_ range: Range<Int>) -> [UInt8] {
    Array(UnsafeRawBufferPointer(start: base, count: count)[range])
  }
}

import Glibc
import MessagePassing

/// Messages between the processes of an MPI job. Nothing here blocks, except `farewell` and `idle`.
///
/// Use one per communicator, from the thread that started MPI. What goes wrong is kept, and thrown by every
/// `send`, `receive` and `idle` that follows.
public final class MPIExchange: Exchange {
  /// Bytes. Longer messages are refused on both sides.
  public static let messageLimit = 64 << 20
  /// Bytes taken from MPI and not yet delivered; beyond that, senders wait.
  public static let heldLimit = 256 << 20

  public let rank: Int
  public let rankCount: Int
  public let hub: Int
  public private(set) var traffic: Traffic
  public let pool = MessagePool()

  let communicator: Communicator
  var watch: SilenceWatch
  var failure: (any Error)?
  /// Ranks that said they are leaving (hub), and whether the hub said goodbye (others).
  var leaving: Set<Int> = []
  var goodbye = false
  var hasEnded = false

  private var sending = RequestList<SendRequest<Message>>()
  private var receiving = RequestList<ReceiveRequest<Message>>()
  private var arrived = MessageQueue()
  private var held = 0
  /// Where the next round of tests begins, so that stalled sends do not hide the ones behind them.
  private var nextTested = 0
  private var nextPoll: UInt64 = 0
  private var nextCheck: UInt64 = 0
  /// Counts arrivals, for `idle`.
  private var arrivals = 0
  private var pause: PollPause
  private let doorbells: Doorbells?

  enum Tag {
    static let data: Int32 = 1
    static let control: Int32 = 2
  }

  /// - Parameters:
  ///   - hub: the rank at the centre of the heartbeats; the coordinator.
  ///   - timeout: how long a rank may be silent.
  ///   - doorbells: of this host, with which a rank that sleeps is woken for a message.
  public init(communicator: Communicator, hub: Int, timeout: Duration, doorbells: Doorbells? = nil) throws {
    guard hub >= 0, hub < communicator.size else {
      throw MPIExchangeError.noSuchRank(hub, of: communicator.size)
    }
    self.communicator = communicator
    self.doorbells = doorbells
    pause = PollPause(isRung: doorbells?.ringForAll == true)
    self.hub = hub
    rank = communicator.rank
    rankCount = communicator.size
    traffic = Traffic(ranks: rankCount)
    let nanoseconds = UInt64(max(1, min(timeout / .nanoseconds(1), 1e18)))
    watch = SilenceWatch(
      rank: rank, rankCount: rankCount, hub: hub, timeout: nanoseconds, now: Self.now())
  }

  /// Nanoseconds of a steady clock.
  @inline(__always)
  static func now() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  /// For as long as ranks open files and load: lets them be silent for at least `silence`, whatever the deadline.
  /// Nil ends that.
  public func allow(silence: Duration?) {
    let least = silence.map { UInt64(max(0, min($0 / .nanoseconds(1), 1e18))) } ?? 0
    watch.grace = least > watch.limit ? least - watch.limit : 0
  }

  /// Tells that ranks of this host outnumber its cores: one that waits then leaves its core to others at once.
  public func outnumbersCores() { pause.isOutnumbering = true }

  // MARK: Exchange

  public func message(capacity: Int) -> Message { pool.message(capacity: capacity) }

  public func hostName(of rank: Int) -> String {
    communicator.hostNames.indices.contains(rank) ? communicator.hostNames[rank] : "unknown host"
  }

  public func send(_ message: Message, to destination: Int) throws {
    if let failure { throw failure }
    guard !hasEnded else { throw MPIExchangeError.hasEnded }
    guard destination >= 0, destination < rankCount else {
      throw MPIExchangeError.noSuchRank(destination, of: rankCount)
    }
    guard message.count <= Self.messageLimit else {
      throw MPIExchangeError.tooLong(
        message.count, limit: Self.messageLimit, "to rank \(destination) (\(hostName(of: destination)))")
    }
    if destination == rank {
      message.source = rank
      arrived.append(message)
      arrivals += 1
      return
    }
    traffic.countSent(message.count, to: destination)
    try post(message, to: destination, tag: Tag.data)
  }

  public func receive() throws -> Message? {
    if arrived.isEmpty { poll(at: Self.now()) } else { progress() }
    if let failure { throw failure }
    guard let message = arrived.popFirst() else { return nil }
    if message.source != rank { held -= message.count }
    return message
  }

  public func progress() {
    let now = Self.now()
    guard now >= nextPoll else { return }
    poll(at: now)
    nextPoll = now + 20_000
  }

  public func idle() throws {
    progress()
    if let failure { throw failure }
    let isMoving = !sending.isEmpty || !receiving.isEmpty
    pause.wait(arrivals: arrivals, isMoving: isMoving, clock: Self.now, nap: nap)
    if let failure { throw failure }
  }

  /// Sleeps for so long, or until another rank of this host has sent something.
  private func nap(microseconds: UInt32) {
    guard let doorbells else {
      usleep(microseconds)
      return
    }
    let (rings, before) = (doorbells.rings, arrivals)
    poll(at: Self.now())
    if arrivals == before, failure == nil { doorbells.wait(since: rings, microseconds: microseconds) }
  }

  // MARK: Moving messages

  /// True once everything given away has left.
  var allSent: Bool { sending.isEmpty }

  /// One look at everything. What goes wrong is kept for the next call that can throw.
  func poll(at now: UInt64) {
    guard failure == nil, !hasEnded else { return }
    do {
      try matchArrivals(now)
      try finishReceives(now)
      try finishSends()
      watch.listened(at: now)
      try keepWatch(now)
    } catch {
      failure = error
    }
  }

  func post(_ message: Message, to destination: Int, tag: Int32) throws {
    precondition(message.count <= message.capacity)
    var request = try communicator.send(
      message, base: message.base, count: message.count, to: destination, tag: tag)
    // Short messages have left already.
    if let sent = try request.test() {
      sent.recycle()
    } else {
      sending.append(request)
    }
    doorbells?.ring(for: destination)
  }

  func sendControl(_ control: JobMessage, to destination: Int) throws {
    let message = pool.message(capacity: JobMessage.byteCount)
    control.write(to: message)
    try post(message, to: destination, tag: Tag.control)
  }

  private func matchArrivals(_ now: UInt64) throws {
    for _ in 0..<32 {
      // A full house takes no data, but still hears heartbeats.
      let tag = held < Self.heldLimit ? nil : Tag.control
      guard let matched = try communicator.match(tag: tag) else { return }
      let envelope = matched.envelope
      watch.heard(from: envelope.source, at: now)
      switch envelope.tag {
      case Tag.data:
        guard envelope.count <= Self.messageLimit else {
          throw MPIExchangeError.tooLong(
            envelope.count, limit: Self.messageLimit,
            "from rank \(envelope.source) (\(hostName(of: envelope.source)))")
        }
        held += envelope.count
      case Tag.control where envelope.count == JobMessage.byteCount: break
      default: throw MPIExchangeError.foreign(envelope, host: hostName(of: envelope.source))
      }
      let message = pool.message(capacity: envelope.count)
      var request = try communicator.receive(matched, into: message, base: message.base)
      if let done = try request.test() {
        try deliver(done, envelope, now)
      } else {
        receiving.append(request)
      }
    }
  }

  private func finishReceives(_ now: UInt64) throws {
    var index = 0
    while index < receiving.count {
      let finished = try receiving.take(at: index) { (request) throws(MPIError) -> (Message, Envelope)? in
        guard let message = try request.test() else { return nil }
        return (message, request.envelope)
      }
      if let (message, envelope) = finished {
        try deliver(message, envelope, now)
      } else {
        index += 1
      }
    }
  }

  private func finishSends() throws {
    var waiting = 0
    var left = sending.count
    // Each test of an unfinished request makes MPI look at everything, so a few are enough.
    while left > 0, waiting < 8, !sending.isEmpty {
      if nextTested >= sending.count { nextTested = 0 }
      let sent = try sending.take(at: nextTested) { (request) throws(MPIError) -> Message? in try request.test() }
      if let sent {
        sent.recycle()
      } else {
        nextTested += 1
        waiting += 1
      }
      left -= 1
    }
  }

  private func deliver(_ message: Message, _ envelope: Envelope, _ now: UInt64) throws {
    message.count = envelope.count
    message.source = envelope.source
    watch.heard(from: envelope.source, at: now)
    guard envelope.tag == Tag.control else {
      traffic.bytesReceived += envelope.count
      traffic.messagesReceived += 1
      arrivals += 1
      arrived.append(message)
      return
    }
    guard let control = JobMessage(message.bytes) else {
      throw MPIExchangeError.foreign(envelope, host: hostName(of: envelope.source))
    }
    message.recycle()
    try obey(control, from: envelope.source)
  }

  private func keepWatch(_ now: UInt64) throws {
    if let hub = watch.beatIsDue(at: now) { try sendControl(.heartbeat, to: hub) }
    guard now >= nextCheck else { return }
    nextCheck = now + 20_000_000
    // Only the hub knows where the run stands; the others leave the word to it and to the launcher.
    watch.isHurried = rank == hub && TerminationSignal.requested
    if let (rank, silence) = watch.lost(at: now) {
      throw RankLost(rank: rank, host: hostName(of: rank), silence: Double(silence) / 1e9, isEnding: watch.isHurried)
    }
  }
}

/// Messages that have arrived, first in, first out.
private struct MessageQueue {
  private var messages: [Message] = []
  private var head = 0

  var isEmpty: Bool { head == messages.count }

  mutating func append(_ message: Message) {
    if head > 64, 2 * head > messages.count {
      messages.removeFirst(head)
      head = 0
    }
    messages.append(message)
  }

  mutating func popFirst() -> Message? {
    guard head < messages.count else { return nil }
    let message = messages[head]
    head += 1
    if head == messages.count {
      messages.removeAll(keepingCapacity: true)
      head = 0
    }
    return message
  }
}

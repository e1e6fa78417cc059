import ExpertParallel
import Glibc
import MessagePassing

nonisolated(unsafe) let commands: [String: (Trial) throws -> Void] = [
  "places": { try $0.places() },
  "storm": { try $0.storm() },
  "small": { try $0.small() },
  "empty": { try $0.empty() },
  "steady": { try $0.steady() },
  "busy": { try $0.busy() },
  "paused": { try $0.paused() },
  "stopped": { try $0.lose { _ = kill(getpid(), SIGSTOP) } },
  "killed": { try $0.lose { _ = kill(getpid(), SIGKILL) } },
  "left": { try $0.lose { $0.exchange.abandon(reason: "rank \($0.rank) has had enough", exitCode: 7) } },
  "vanished": { try $0.lose { _exit(9) } },
  "too-long": { try $0.tooLong() },
  "oversize": { try $0.oversize() },
  "foreign": { try $0.foreign() },
  "wait": { try $0.lose {} },
  "flood": { try $0.flood() },
  "signal": { try $0.signal(times: 1) },
  "two-signals": { try $0.signal(times: 2) },
  "ping-pong": { try $0.pingPong() },
  "crunch": { try $0.crunch() },
  "progress-cost": { try $0.progressCost() },
]

extension Trial {
  /// What every rank knows of the others.
  func places() throws {
    try expect((session.doorbells != nil) == (rankCount > 1), "expected bells among ranks of one host")
    try expect(session.doorbells?.ringForAll != false, "expected a bell for every rank")
    let world = session.world
    try expect(world.hostNames.count == rankCount, "host names: \(world.hostNames)")
    let local = world.localRanks
    try expect(local.count == rankCount && local.index == rank, "\(local)")
    // Unequal lengths, one of them empty.
    let mine = [UInt8](repeating: UInt8(rank), count: 1000 * rank)
    let all = try world.allGather(mine)
    try expect(
      all == (0..<rankCount).map { [UInt8](repeating: UInt8($0), count: 1000 * $0) }, "allGather")
    for root in 0..<rankCount {
      let given = Array("from \(root)".utf8)
      try expect(try world.broadcast(rank == root ? given : [], root: root) == given, "broadcast \(root)")
    }
    try expect(MPISession.isLaunched && MPISession.announcedSize == rankCount, "launch marks")
  }

  /// Everyone to everyone, itself included, 0 B to 8 MiB, as fast as it goes and both ways at once.
  func storm() throws {
    let each = options["messages", default: 30]
    var random = SplitMix(state: UInt64(options["seed", default: 1] * 1000 + rank))
    var received = 0
    var seen: Set<UInt64> = []
    for index in 0..<each {
      for destination in (0..<rankCount).shuffled(using: &random) {
        let count = Int.random(in: 0...(1 << Int.random(in: 0...23, using: &random)), using: &random)
        try send(count, seed: UInt64(rank * 1_000_000 + destination * 1000 + index), to: destination)
        while let message = try exchange.receive() {
          seen.insert(try check(message))
          received += 1
        }
      }
    }
    while received < each * rankCount {
      seen.insert(try check(try next()))
      received += 1
    }
    let expected = (0..<rankCount).flatMap { source in
      (0..<each).map { UInt64(source * 1_000_000 + rank * 1000 + $0) }
    }
    try expect(seen == Set(expected), "\(seen.count) of \(expected.count) messages")
    try expect(exchange.traffic.messagesSent == each * (rankCount - 1), "\(exchange.traffic)")
    try expect(exchange.traffic.messagesReceived == each * (rankCount - 1), "\(exchange.traffic)")
  }

  /// Very many short ones to random ranks, without waiting for each other.
  func small() throws {
    let each = options["messages", default: 20_000]
    var random = SplitMix(state: UInt64(rank))
    // Who gets how many is decided by a generator that all ranks can run.
    var expected = 0
    for source in 0..<rankCount {
      var theirs = SplitMix(state: UInt64(source))
      for _ in 0..<each where Int.random(in: 0..<rankCount, using: &theirs) == rank { expected += 1 }
    }
    var received = 0
    for index in 0..<each {
      try send(24 + index % 200, seed: UInt64(index), to: Int.random(in: 0..<rankCount, using: &random))
      while let message = try exchange.receive() {
        _ = try check(message)
        received += 1
      }
    }
    while received < expected {
      _ = try check(try next())
      received += 1
    }
  }

  /// A rank that takes nothing for a while is not filled up without end, and heartbeats still get through.
  func flood() throws {
    let count = 40 << 20
    if rank == 0 {
      for index in 0..<10 { try send(count, seed: UInt64(index), to: 1) }
      return
    }
    let begin = Self.seconds()
    while Self.seconds() < begin + 2.5 {
      exchange.progress()
      usleep(100)
    }
    let large = (exchange.pool.allocatedBytes + count - 1) / (64 << 20)
    try expect((6...7).contains(large), "\(large) messages were taken")
    for _ in 0..<10 { _ = try check(try next()) }
  }

  /// Messages without a byte arrive too.
  func empty() throws {
    for destination in 0..<rankCount { try exchange.send(exchange.message(capacity: 0), to: destination) }
    var sources: Set<Int> = []
    for _ in 0..<rankCount {
      let message = try next()
      try expect(message.count == 0, "\(message.count) bytes")
      sources.insert(message.source)
      message.recycle()
    }
    try expect(sources == Set(0..<rankCount), "\(sources)")
  }

  /// Once everything in flight at a time has been there before, the pool makes no message more.
  func steady() throws {
    let sizes = [100, 14_000, 57_000, 300_000]
    let held = sizes.flatMap { size in (0..<8 * rankCount).map { _ in exchange.message(capacity: size) } }
    held.forEach { $0.recycle() }
    let before = exchange.pool.allocations
    for round in 0..<options["rounds", default: 500] {
      for destination in 0..<rankCount where destination != rank {
        try send(sizes[round % sizes.count], seed: UInt64(round), to: destination)
      }
      for _ in 1..<rankCount { _ = try check(try next()) }
    }
    try expect(exchange.pool.allocations == before, "\(exchange.pool.allocations - before) allocations")
  }

  /// A rank that computes for longer than the timeout lives as long as it calls `progress`.
  func busy() throws {
    let victim = options["victim", default: 1]
    let end = Self.seconds() + Double(options["ms", default: 3000]) / 1000
    if rank == victim {
      var value = 1.0
      while Self.seconds() < end {
        for step in 0..<20_000 { value = (value + Double(step)).squareRoot() }
        exchange.progress()
      }
      try expect(value > 0, "\(value)")
      for destination in 0..<rankCount where destination != rank { try send(100, seed: 1, to: destination) }
    } else {
      _ = try check(try next())
    }
  }

  /// A rank that is stopped for longer than its own deadline does not blame the others when it wakes.
  func paused() throws {
    let victim = options["victim", default: 0]
    let begin = Self.seconds()
    while Self.seconds() < begin + 0.3 { try exchange.idle() }
    if rank == victim {
      let milliseconds = options["ms", default: 2000]
      let waker = popen("sleep \(Double(milliseconds) / 1000); kill -CONT \(getpid())", "r")
      defer { pclose(waker) }
      kill(getpid(), SIGSTOP)
      try expect(Self.seconds() > begin + Double(milliseconds) / 1000, "not stopped")
    }
    let woken = Self.seconds()
    while Self.seconds() < woken + 1.5 { try exchange.idle() }
  }

  /// One rank meets its fate; the others wait for a message that never comes.
  func lose(_ fate: (Trial) -> Void) throws {
    let begin = Self.seconds()
    while Self.seconds() < begin + 0.3 { try exchange.idle() }
    // Everyone has a word with everyone first.
    for destination in 0..<rankCount where destination != rank { try send(5000, seed: 1, to: destination) }
    for _ in 1..<rankCount { _ = try check(try next()) }
    say("ready: \(rank) \(getpid())")
    if rank == options["victim", default: 1] { fate(self) }
    _ = try next()
  }

  func lose(_ fate: () -> Void) throws { try lose { (_: Trial) in fate() } }

  /// The first signal is a flag, the second one the end.
  func signal(times: Int) throws {
    TerminationSignal.install()
    try expect(!TerminationSignal.requested && TerminationSignal.number == nil, "no signal yet")
    guard rank == 1 else { return }
    for _ in 0..<times { kill(getpid(), SIGTERM) }
    try expect(TerminationSignal.requested && TerminationSignal.number == SIGTERM, "a signal")
  }

  /// A message beyond the limit is refused before it leaves.
  func tooLong() throws {
    let message = exchange.message(capacity: MPIExchange.messageLimit + 1)
    message.count = MPIExchange.messageLimit + 1
    do {
      try exchange.send(message, to: (rank + 1) % rankCount)
    } catch let error as MPIExchangeError {
      say("refused: \(error)")
      return
    }
    throw Failed(description: "a message beyond the limit was sent")
  }

  /// A peer that ignores the limit is an error on the receiving side.
  func oversize() throws {
    if rank == 0 {
      let large = exchange.message(capacity: MPIExchange.messageLimit + 1)
      let request = try session.world.send(
        large, base: large.base, count: MPIExchange.messageLimit + 1, to: 1, tag: 1)
      _ = consume request
    }
    _ = try next()
  }

  /// A message on the control tag that means nothing.
  func foreign() throws {
    if rank == 0 {
      let message = exchange.message(capacity: 16)
      for index in 0..<16 { message.base.storeBytes(of: UInt8(index), toByteOffset: index, as: UInt8.self) }
      let request = try session.world.send(message, base: message.base, count: 16, to: 1, tag: 2)
      _ = consume request
    }
    _ = try next()
  }
}

import ExpertParallel
import Foundation
import Kernels

/// One rank while machines and links are measured: it sends pings back, does what it is told, and answers.
public final class CalibrationRank {
  let exchange: any Exchange
  private let kernels: KernelTable
  private let machine: MachineFacts
  /// As many threads as a rank has in a run.
  private let physicalCores: Int
  private let isInterrupted: () -> Bool
  /// Called again and again while the first rank measures or waits.
  var tick: () -> Void = {}
  /// Set once the first rank has said that there is nothing more to measure.
  public private(set) var hasEnded = false
  /// Answers that have arrived, by rank.
  private var answers: [Int: CalibrationAnswer] = [:]
  /// A link under way, and who has ordered it.
  private var link: (meter: LinkMeter, requester: Int)?
  /// What is read together with others, and how.
  private var prepared: (meter: SpeedMeter, buffer: StreamBuffer, compute: Compute)?
  private var load: LoadMeter?

  /// - Parameters:
  ///   - physicalCores: of this machine; several logical processors may be one.
  ///   - isInterrupted: asked between measurements.
  public init(
    exchange: any Exchange, kernels: KernelTable, machine: MachineFacts = .ofThisMachine(),
    physicalCores: Int = CalibrationRank.physicalCores(), isInterrupted: @escaping () -> Bool
  ) {
    self.exchange = exchange
    self.kernels = kernels
    self.machine = machine
    self.physicalCores = max(1, physicalCores)
    self.isInterrupted = isInterrupted
  }

  /// Of those that this process may use.
  public static func physicalCores() -> Int {
    let processors = ProcessorSet.ofThisThread()
    return MachineCores.ofThisMachine(processors).count(in: processors)
  }

  /// Answers the first rank until it says that it is over.
  public func serve() throws {
    while !hasEnded {
      if try !step() { try exchange.idle() }
    }
  }

  /// Takes one message, if there is one.
  /// - Returns: whether there was one.
  public func step() throws -> Bool {
    guard let message = try exchange.receive() else { return false }
    switch try CalibrationMessage.kind(of: message) {
    case .ping:
      CalibrationMessage.write(.pong, to: message)
      try exchange.send(message, to: message.source)
      return true
    case .probe:
      message.count = CalibrationMessage.headBytes
      CalibrationMessage.write(.pong, to: message)
      try exchange.send(message, to: message.source)
      return true
    case .load:
      load?.count(message.count)
      message.count = CalibrationMessage.headBytes
      CalibrationMessage.write(.taken, to: message)
      try exchange.send(message, to: message.source)
      return true
    case .pong:
      try take(pong: message)
      return true
    case .order:
      try follow(try CalibrationMessage.decode(CalibrationOrder.self, from: message), from: message.source)
    case .taken: try load?.noteTaken()
    case .answer:
      answers[message.source] = try CalibrationMessage.decode(CalibrationAnswer.self, from: message)
    case .end:
      hasEnded = true
    }
    message.recycle()
    return true
  }

  // MARK: The first rank

  /// Has orders followed, at the same time, and returns the answers by rank.
  ///
  /// - Throws: ``CalibrationFailure`` where a rank could not do it.
  func command(_ orders: [Int: CalibrationOrder]) throws -> [Int: CalibrationAnswer] {
    answers = [:]
    for (rank, order) in orders.sorted(by: { $0.key < $1.key }) where rank != exchange.rank {
      try CalibrationMessage.send(.order, try JSONEncoder().encode(order), to: rank, over: exchange)
    }
    if let own = orders[exchange.rank] { try follow(own, from: exchange.rank) }
    while answers.count < orders.count {
      if try step() { continue }
      try exchange.idle()
      try pause()
    }
    for (rank, answer) in answers {
      if case .failed(let text) = answer {
        throw CalibrationFailure("rank \(rank) on host \(exchange.hostName(of: rank)): \(text)")
      }
    }
    return answers
  }

  /// Lets all other ranks go.
  func end() throws {
    for rank in 0..<exchange.rankCount where rank != exchange.rank {
      try CalibrationMessage.send(.end, Data(), to: rank, over: exchange)
    }
  }

  private func pause() throws {
    tick()
    if isInterrupted() { throw Interrupted() }
  }

  // MARK: Orders

  private func follow(_ order: CalibrationOrder, from requester: Int) throws {
    do {
      switch order {
      case .machine(let options, let ranks):
        let host = try meter(options).host(name: exchange.hostName(of: exchange.rank), ranks: ranks)
        try answer(.machine(host), to: requester)
      case .link(let rank, let sizes, let seconds, let isOneWay):
        let meter = try LinkMeter(exchange, to: rank, sizes: sizes, seconds: seconds, isOneWay: isOneWay)
        link = (meter, requester)
      case .counters: try answer(.counters(InterfaceCount.ofThisMachine()), to: requester)
      case .prepare(let options, let sharers, let threads):
        let meter = meter(options)
        let compute = meter.compute(threads: threads)
        prepared = (meter, try meter.buffer(compute, sharers: sharers), compute)
        try answer(.ready, to: requester)
      case .read(let seconds):
        guard let prepared else { throw CalibrationFailure("memory to read: expected to be prepared, found none") }
        try answer(.read(prepared.meter.read(prepared.buffer, prepared.compute, seconds: seconds)), to: requester)
      case .prepareLoad(let options):
        let meter = meter(options)
        load = try LoadMeter(exchange, meter.compute(threads: min(meter.mostThreads, physicalCores)))
        try answer(.ready, to: requester)
      case .load(let seconds, let destination):
        guard let load else { throw CalibrationFailure("work to do: expected to be prepared, found none") }
        try answer(.loaded(try load.run(seconds: seconds, to: destination) { try step() }), to: requester)
      }
    } catch let failure as CalibrationFailure {
      try answer(.failed(failure.description), to: requester)
    }
  }

  private func take(pong message: Message) throws {
    guard link != nil else {
      throw CalibrationFailure("rank \(message.source): expected no message, found the answer to a ping")
    }
    try link!.meter.take(message)
    guard let done = link, done.meter.isDone else { return }
    link = nil
    try answer(.link(done.meter.speeds), to: done.requester)
  }

  private func answer(_ answer: CalibrationAnswer, to requester: Int) throws {
    if requester == exchange.rank {
      answers[requester] = answer
    } else {
      try CalibrationMessage.send(.answer, try JSONEncoder().encode(answer), to: requester, over: exchange)
    }
  }

  private func meter(_ options: CalibrationOptions) -> SpeedMeter {
    SpeedMeter(
      kernels: kernels, machine: machine, options: options, betweenTiles: { [exchange] in exchange.progress() },
      pause: { [self] in try pause() })
  }
}

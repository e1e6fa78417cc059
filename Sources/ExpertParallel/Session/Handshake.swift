import Foundation

/// How a run starts: every rank says what it has (hello), the coordinator compares it with its own and welcomes
/// all or ends the job everywhere; later every rank says that its experts are loaded (ready).
///
/// Waits are bounded by the exchange, which throws `RankLost`.
public final class Handshake {
  /// What every rank has said, by rank; complete at the coordinator once ``agree()`` has returned.
  public private(set) var agreements: [Agreement?]
  private let mine: Agreement
  /// What a person can do where ranks lack something.
  private let hintForLacks: String
  private let exchange: any Exchange
  private let coordinator: Int
  private var isWelcome = false
  private var isReady: [Bool]

  /// - Parameter hintForLacks: what a person can do where ranks lack something.
  public init(_ agreement: Agreement, over exchange: any Exchange, coordinator: Int, hintForLacks: String = "") {
    precondition(coordinator >= 0 && coordinator < exchange.rankCount)
    self.hintForLacks = hintForLacks
    mine = agreement
    self.exchange = exchange
    self.coordinator = coordinator
    agreements = Array(repeating: nil, count: exchange.rankCount)
    agreements[exchange.rank] = agreement
    isReady = Array(repeating: false, count: exchange.rankCount)
    isReady[exchange.rank] = true
  }

  private var isCoordinator: Bool { exchange.rank == coordinator }

  /// Returns when all ranks are known to agree.
  /// - Throws: `FabricError` that says which rank differs in what; the same text on every rank.
  public func agree() throws {
    try sayHello()
    try wait("agreement") { hasAgreed }
  }

  /// Says that this rank has loaded what it needs; the coordinator returns when all have.
  public func ready() throws {
    guard !isCoordinator else { return try wait("loading") { isReady.allSatisfy { $0 } } }
    try ServiceMessage.send(.ready, epoch: 0, to: coordinator, over: exchange)
  }

  /// Ends the job: at the coordinator for everybody, elsewhere by telling the coordinator.
  public func fail(_ text: String) throws {
    let ranks = isCoordinator ? Array(0..<exchange.rankCount) : [coordinator]
    for rank in ranks where rank != exchange.rank {
      try ServiceMessage.send(.fault, payload: ServiceMessage.text(text), epoch: 0, to: rank, over: exchange)
    }
  }

  /// The first half of ``agree()``, for ranks that are stepped.
  public func sayHello() throws {
    guard !isCoordinator else { return }
    let payload = try ServiceMessage.encode(mine)
    precondition(payload.count <= ServiceMessage.mostBytes, "an agreement is short")
    try ServiceMessage.send(.hello, payload: payload, epoch: 0, to: coordinator, over: exchange)
  }

  /// Whether this rank knows that all agree.
  public var hasAgreed: Bool { isWelcome }

  /// Takes one message, if there is one.
  /// - Returns: whether there was one.
  public func step() throws -> Bool {
    if isCoordinator, !isWelcome, !agreements.contains(where: { $0 == nil }) { try welcomeAll() }
    guard let message = try exchange.receive() else { return false }
    defer { message.recycle() }
    do {
      try handle(message)
    } catch let error as WireError {
      let failure = FabricError(error, host: exchange.hostName(of: error.source), layer: nil)
      try? fail(failure.description)
      throw failure
    }
    return true
  }

  private func handle(_ message: Message) throws {
    let source = message.source
    let kind = try WireHeader(reading: message).kind
    switch kind {
    case .hello where isCoordinator && agreements[source] == nil:
      agreements[source] = try ServiceMessage.decode(Agreement.self, from: message, .hello)
    case .welcome where source == coordinator && !isWelcome:
      _ = try ServiceMessage.payload(of: message, kind)
      isWelcome = true
    case .ready where isCoordinator && isWelcome && !isReady[source]:
      _ = try ServiceMessage.payload(of: message, kind)
      isReady[source] = true
    case .fault:
      let text = String(decoding: try ServiceMessage.payload(of: message, kind), as: UTF8.self)
      throw FabricError(
        reason: isCoordinator ? .fault : .ended, rank: source, host: exchange.hostName(of: source), text: text)
    default:
      throw WireError(
        source: source, kind: kind, field: "kind",
        expected: isCoordinator ? "hello, ready or fault, once each" : "welcome or fault", found: "\(kind)")
    }
  }

  private func welcomeAll() throws {
    if let error = whoCannot() {
      try fail(error.description)
      throw error
    }
    for (rank, theirs) in agreements.enumerated() {
      guard let theirs, let difference = mine.difference(to: theirs) else { continue }
      let error = FabricError(
        reason: .disagreement, rank: rank, host: String(theirs.host.prefix(100)),
        text: "differs from rank \(coordinator) on host \(mine.host) in \(difference)")
      try fail(error.description)
      throw error
    }
    if let error = whatRanksLack() {
      try fail(error.description)
      throw error
    }
    for rank in 0..<exchange.rankCount where rank != coordinator {
      try ServiceMessage.send(.welcome, epoch: 0, to: rank, over: exchange)
    }
    isWelcome = true
  }

  /// The first rank that cannot take part; the others that cannot are named behind it.
  private func whoCannot() -> FabricError? {
    let found = agreements.enumerated().compactMap { rank, theirs in
      theirs?.failure.map { (rank: rank, host: String(theirs?.host.prefix(100) ?? ""), text: $0) }
    }
    guard let first = found.first else { return nil }
    let others = found.dropFirst().map { "\($0.rank) on \($0.host)" }
    let more = others.isEmpty ? "" : "(so on rank \(others.joined(separator: ", rank "))) "
    return FabricError(reason: .unusable, rank: first.rank, host: first.host, text: more + first.text)
  }

  /// One error for all ranks, since all must be helped before the next try.
  private func whatRanksLack() -> FabricError? {
    let lacking = agreements.enumerated().compactMap { rank, found in
      found.flatMap { $0.lacks.isEmpty ? nil : (rank: rank, host: String($0.host.prefix(100)), lacks: $0.lacks) }
    }
    guard let first = lacking.first else { return nil }
    func words(_ lacks: [String]) -> String { lacks.map { String($0.prefix(1000)) }.joined(separator: "; ") }
    let others = lacking.dropFirst().map { "; rank \($0.rank) on host \($0.host): \(words($0.lacks))" }
    return FabricError(
      reason: .unusable, rank: first.rank, host: first.host,
      text: words(first.lacks) + others.joined() + (hintForLacks.isEmpty ? "" : ". Hint: \(hintForLacks)"))
  }

  private func wait(_ what: String, until isEnough: () -> Bool) throws {
    do {
      while !isEnough() {
        if try !step(), !isEnough() { try exchange.idle() }
      }
    } catch let lost as RankLost {
      throw FabricError(lost, layer: nil, awaited: what)
    }
  }
}

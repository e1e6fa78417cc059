/// The last pieces of work of a rank and when they were done, for whoever draws a step. Memory is made at the start.
public struct Timeline: Sendable {
  /// Seconds of ``MonotonicClock``.
  public struct Piece: Sendable, Equatable, Codable {
    public var phase: Phase
    public var start: Double
    public var end: Double

    public init(_ phase: Phase, start: Double, end: Double) {
      (self.phase, self.start, self.end) = (phase, start, end)
    }

    public func moved(by seconds: Double) -> Piece { Piece(phase, start: start + seconds, end: end + seconds) }
  }

  private var ring: [Piece] = []
  private var next = 0
  private let capacity: Int

  public init(capacity: Int) {
    self.capacity = capacity
    ring.reserveCapacity(capacity)
  }

  /// Pieces that follow at once on one of the same phase become a part of it.
  public mutating func add(_ phase: Phase, start: Double, end: Double) {
    let last = (next + capacity - 1) % capacity
    if ring.indices.contains(last), ring[last].phase == phase, start - ring[last].end < Self.gap {
      ring[last].end = end
    } else if ring.count < capacity {
      ring.append(Piece(phase, start: start, end: end))
      next = ring.count % capacity
    } else {
      ring[next] = Piece(phase, start: start, end: end)
      next = (next + 1) % capacity
    }
  }

  private static let gap = 3e-6

  /// In the order in which they were done.
  public var pieces: [Piece] { ring.count < capacity ? ring : Array(ring[next...] + ring[..<next]) }
}

extension Compute {
  /// Runs `body`, which counts its own time, and keeps when that was.
  public func note<Result>(_ phase: Phase, _ body: () throws -> Result) rethrows -> Result {
    let start = MonotonicClock.seconds()
    defer { timeline.add(phase, start: start, end: MonotonicClock.seconds()) }
    return try body()
  }
}

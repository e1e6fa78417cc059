import CMPI
import Glibc

/// Bells of the ranks of one host: who sends a message rings, who has long waited for one sleeps until then. Without them
/// a rank can only sleep for a while and look again.
///
/// Only hints: a message is there or not, whatever was rung.
public final class Doorbells: Sendable {
  private nonisolated(unsafe) let bells: OpaquePointer
  private let count: Int32
  private let own: Int32
  /// `[ranks]`: the bell of each, or -1 on another host.
  private let places: [Int32]

  /// - Parameters:
  ///   - file: with a bell for each of `ranks`; not needed afterwards.
  ///   - ranks: of this host, in an order that all of them know.
  /// - Returns: nil where the system gives no memory for it.
  package init?(file: Int32, ranks: [Int], of rankCount: Int, own: Int) {
    guard let place = ranks.firstIndex(of: own), let bells = cmpi_bells_map(file, Int32(ranks.count)) else {
      return nil
    }
    var places = [Int32](repeating: -1, count: rankCount)
    for (place, rank) in ranks.enumerated() { places[rank] = Int32(place) }
    (self.bells, self.places, self.own, count) = (bells, places, Int32(place), Int32(ranks.count))
  }

  deinit { cmpi_bells_unmap(bells, count) }

  /// Whether every message that can come is rung for: all ranks share this host.
  public var ringForAll: Bool { places.allSatisfy { $0 >= 0 } }

  /// How often this rank was rung for: to be asked before it looks for messages, so that none comes unheard.
  public var rings: UInt32 { cmpi_bells_rings(bells, own) }

  /// Wakes a rank if it sleeps; one on another host hears nothing.
  public func ring(for rank: Int) {
    if places[rank] >= 0 { cmpi_bells_ring(bells, places[rank]) }
  }

  /// Sleeps until somebody has rung since `rings` was read, or for so long.
  public func wait(since rings: UInt32, microseconds: UInt32) { cmpi_bells_wait(bells, own, rings, microseconds) }
}

extension Doorbells {
  /// A rank's offer to the others of its host, or what it sees of that.
  private struct Offer {
    static let none = Offer(process: 0, file: -1, device: 0, number: 0)

    var process: Int32
    var file: Int32
    var device: UInt64
    var number: UInt64

    var bytes: [UInt8] { withUnsafeBytes(of: self) { Array($0) } }

    init(process: Int32, file: Int32, device: UInt64, number: UInt64) {
      (self.process, self.file, self.device, self.number) = (process, file, device, number)
    }

    init(of file: Int32) {
      self = .none
      guard file >= 0, cmpi_bells_identify(file, &device, &number) else { return }
      (process, self.file) = (getpid(), file)
    }

    init(_ bytes: [UInt8]) {
      self = .none
      guard bytes.count == MemoryLayout<Self>.size else { return }
      withUnsafeMutableBytes(of: &self) { $0.copyBytes(from: bytes) }
    }

    /// The same file, opened here; -1: there is none such, as where processes do not see each other.
    func open() -> Int32 {
      guard file >= 0 else { return -1 }
      let found = Doorbells.openFile(file, of: process)
      let seen = Offer(of: found)
      if found >= 0, (seen.device, seen.number) == (device, number) { return found }
      if found >= 0 { close(found) }
      return -1
    }
  }

  /// A file with so many bells, or -1.
  package static func createFile(bells: Int) -> Int32 { cmpi_bells_create(Int32(bells)) }

  /// Such a file of another process of this host, or -1.
  package static func openFile(_ file: Int32, of process: Int32) -> Int32 { cmpi_bells_open(process, file) }

  /// The bells of this host. All ranks call it.
  ///
  /// - Returns: nil for a rank alone on its host, and where the ranks of a host cannot share memory this way.
  static func share(among world: Communicator) throws(MPIError) -> Doorbells? {
    let ranks = world.localRanks.ranks
    let isFirst = ranks.first == world.rank
    let created = isFirst && ranks.count > 1 ? createFile(bells: ranks.count) : -1
    let offers = try world.allGather(Offer(of: created).bytes)
    let file = isFirst ? created : Offer(offers[ranks[0]]).open()
    let bells = file < 0 ? nil : Doorbells(file: file, ranks: ranks, of: world.size, own: world.rank)
    // The first one keeps it open until the others have mapped it.
    let shared = try world.allGather([bells == nil ? 0 : 1])
    if file >= 0 { close(file) }
    return ranks.allSatisfy { shared[$0] == [1] } ? bells : nil
  }
}

import Foundation
import Kernels
import Testing

@Suite struct ProcessorSetTests {
  @Test func readsTheKernelsLists() {
    #expect(ProcessorSet(list: "0-3,8\n")?.numbers == [0, 1, 2, 3, 8])
    #expect(ProcessorSet(list: "5")?.numbers == [5])
    #expect(ProcessorSet(list: "")?.numbers == [])
    for bad in ["x", "3-1", "1-", "-1", "1-2-3", "0-99999999", "1;2"] { #expect(ProcessorSet(list: bad) == nil) }
  }

  @Test func travelsAsBytes() {
    let set = ProcessorSet([0, 255, 256, 1023])
    #expect(ProcessorSet(bytes: set.bytes) == set)
    #expect(ProcessorSet(bytes: [7]) == ProcessorSet([]))
  }

  /// Threads that are started afterwards inherit it; this runs on a thread of its own, so no other test does.
  @Test func keepsAThreadAndItsChildren() {
    let first = ProcessorSet(ProcessorSet.ofThisThread().numbers.prefix(1))
    nonisolated(unsafe) var seen: [ProcessorSet] = []
    let done = DispatchSemaphore(value: 0)
    Thread {
      first.keepThisThread()
      seen.append(.ofThisThread())
      Thread {
        seen.append(.ofThisThread())
        done.signal()
      }.start()
    }.start()
    done.wait()
    #expect(seen == [first, first])
    #expect(ProcessorSet([1022]).keepThisThread() == false)
  }
}

@Suite struct CoreShareTests {
  /// 8 cores of two threads, processors i and i + 8, in two domains of four cores.
  static let server = MachineCores(
    cores: Dictionary(uniqueKeysWithValues: (0..<16).map { ($0, $0 % 8) }),
    domains: [ProcessorSet([0, 1, 2, 3, 8, 9, 10, 11]), ProcessorSet([4, 5, 6, 7, 12, 13, 14, 15])])
  static let all = ProcessorSet(0..<16)

  func shares(_ masks: [ProcessorSet], on machine: MachineCores = server) -> [CoreShare] {
    masks.indices.map { CoreShare(of: $0, masks: masks, on: machine) }
  }

  @Test func oneRankTakesEveryCoreAndStaysLoose() {
    let share = shares([Self.all])[0]
    #expect(share.threads == 8 && share.processors == nil && share.domains == 2)
  }

  @Test(arguments: 2...20) func ranksDivideDomains(count: Int) {
    let shares = shares(Array(repeating: Self.all, count: count))
    let byDomain = Self.server.domains.map { domain in shares.filter { $0.processors == domain } }
    // Every rank is in exactly one domain, both are as full as the other, and no core has two threads needlessly.
    #expect(byDomain[0].count + byDomain[1].count == count)
    #expect(abs(byDomain[0].count - byDomain[1].count) <= 1)
    for ranks in byDomain {
      #expect(ranks.map(\.threads).reduce(0, +) <= max(4, ranks.count))
      #expect(ranks.allSatisfy { $0.threads == max(1, 4 / ranks.count) && $0.domains == 1 })
    }
  }

  @Test func fewerRanksThanDomainsTakeWholeOnes() {
    let machine = MachineCores(cores: [:], domains: (0..<4).map { ProcessorSet(4 * $0..<4 * $0 + 4) })
    let shares = shares([Self.all, Self.all, Self.all], on: machine)
    #expect(shares.map(\.threads) == [4, 4, 8])
    #expect(shares.map(\.domains) == [1, 1, 2])
    #expect(shares.map { $0.processors?.numbers.first } == [0, 4, 8])
  }

  @Test func boundRanksKeepWhatTheyHave() {
    let shares = shares(Self.server.domains)
    #expect(shares.map(\.threads) == [4, 4])
    #expect(shares.allSatisfy { $0.processors == nil && $0.domains == 1 })
    #expect(self.shares([ProcessorSet([3]), ProcessorSet([4])]).map(\.threads) == [1, 1])
  }

  @Test func partlyOverlappingMasksAreDividedWithoutBinding() {
    let shares = shares([Self.all, Self.server.domains[0]])
    #expect(shares.map(\.threads) == [4, 2])
    #expect(shares.allSatisfy { $0.processors == nil })
  }

  @Test func oneDomainIsDividedAndNotBound() {
    let machine = MachineCores(cores: [:], domains: [ProcessorSet(0..<4)])
    let four = ProcessorSet(0..<4)
    #expect(shares([four, four, four], on: machine).map(\.threads) == [1, 1, 1])
    #expect(shares(Array(repeating: four, count: 9), on: machine).allSatisfy { $0.threads == 1 })
    #expect(shares([four, four], on: machine).allSatisfy { $0.threads == 2 && $0.processors == nil })
  }
}

@Suite struct MachineCoresTests {
  @Test func readsTheSystemsFiles() throws {
    let root = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: root) }
    func put(_ path: String, _ text: String) throws {
      let file = root.appending(path: "sys/devices/system/" + path)
      try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try text.write(to: file, atomically: true, encoding: .utf8)
    }
    for processor in 0..<8 {
      try put("cpu/cpu\(processor)/topology/thread_siblings_list", "\(processor % 4),\(processor % 4 + 4)\n")
    }
    try put("node/online", "0-2\n")
    try put("node/node0/cpulist", "0-1,4-5\n")
    try put("node/node1/cpulist", "2-3,6-7\n")
    try put("node/node2/cpulist", "\n")  // memory without processors
    let all = ProcessorSet(0..<8)
    let found = MachineCores.ofThisMachine(all, root: root.path)
    #expect(found.domains == [ProcessorSet([0, 1, 4, 5]), ProcessorSet([2, 3, 6, 7])])
    #expect(found.count(in: all) == 4)
    #expect(found.count(in: ProcessorSet([0, 4, 1])) == 2)

    let silent = MachineCores.ofThisMachine(all, root: root.path + "/nothing")
    #expect(silent.domains == [all] && silent.count(in: all) == 8)
  }
}

@Suite struct CoreTurnsTests {
  /// On a thread of its own: turns are the thread's.
  @Test("Linux from 6.12 on keeps to the turns that are asked for, if it lets us; older ones do not know them")
  func shortened() throws {
    final class Found: @unchecked Sendable { var turns: UInt64? }
    let (found, done) = (Found(), DispatchSemaphore(value: 0))
    Thread.detachNewThread {
      found.turns = CoreTurns.shorten()
      done.signal()
    }
    done.wait()
    let version = ProcessInfo.processInfo.operatingSystemVersion
    let isKnown = (version.majorVersion, version.minorVersion) >= (6, 12)
    // A container may forbid it.
    #expect(found.turns == nil || isKnown && found.turns == CoreTurns.shortest)
  }
}

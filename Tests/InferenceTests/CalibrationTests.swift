import ExpertParallel
import Foundation
import Inference
import Kernels
import TestSupport
import Testing

private let machine: MachineFacts = {
  var facts = MachineFacts.ofThisMachine(root: "/nonexistent")
  facts.cores = 2
  return facts
}()

/// A calibration of `ranks` virtual ranks on one host, quickly.
private func calibrate(ranks: Int, interruptedAfter steps: Int = .max) throws -> (Calibration, progress: [String]) {
  let network = InProcessNetwork(ranks: ranks)
  var asked = 0
  let members = (0..<ranks).map { rank in
    CalibrationRank(exchange: network.exchange(of: rank), kernels: .best, machine: machine) {
      asked += 1
      return asked > steps
    }
  }
  for (rank, member) in members.enumerated().dropFirst() { network.attach(rank: rank) { try member.step() } }
  var progress: [String] = []
  let options = CalibrationOptions(bufferBytes: 2 << 20, repeats: 3, linkSeconds: 0)
  let calibration = try Calibrator(members[0], options: options) { done, total, next in
    if progress.last != "\(done)/\(total) \(next)" { progress.append("\(done)/\(total) \(next)") }
  }.run(date: Date(timeIntervalSince1970: 1_700_000_000), version: "1.2.3")
  return (calibration, progress)
}

@Suite("Calibration")
struct CalibrationTests {
  @Test("One rank: its machine by threads, no links")
  func alone() throws {
    let (calibration, _) = try calibrate(ranks: 1)
    #expect(calibration.date == "2023-11-14T22:13:20Z" && calibration.flotilla == "1.2.3")
    #expect(calibration.links.isEmpty && calibration.hosts.count == 1)
    let host = calibration.hosts[0]
    #expect(host.ranks == [0] && host.machine == machine && host.readByAllRanks == nil)
    #expect(host.bufferBytes == 2 << 20)
    for speeds in [host.readBytesPerSecond, host.multiplyAddsF32PerSecond, host.multiplyAddsInt8PerSecond] {
      #expect(speeds.map(\.threads) == [1, 2])
      #expect(speeds.allSatisfy { $0.best >= $0.median && $0.median > 0 })
    }
    let products = try #require(host.products)
    #expect(products.map(\.threads) == Array(repeating: 1, count: 7) + Array(repeating: 2, count: 7))
    #expect(products.prefix(7).map(\.format) == WeightFormat.allCases)
    #expect(products.allSatisfy { $0.cachedBytesPerSecond == nil }, "a cache of no known size")
    for product in products {
      #expect(product.multiplyAdds.map(\.rows) == [1, 2, 3, 4, 8, 32])
      #expect(product.streamedBytesPerSecond > 0 && product.multiplyAdds.allSatisfy { $0.perSecond > 0 })
      let further = try #require(product.further)
      #expect(further.exposed.count == 6 && further.exposed.allSatisfy { (0...1).contains($0) })
      #expect(further.secondsPerOutput.count == 6 && further.secondsPerOutput.allSatisfy { (0...1e-3).contains($0) })
    }
    let costs = try #require(host.costs)
    #expect(costs.map(\.threads) == [1, 2])
    #expect(costs.allSatisfy { $0.secondsPerJob > 0 && $0.attention.count == 4 })
    #expect(costs.allSatisfy { $0.attention.allSatisfy { $0.multiplyAddsPerSecond > 1e6 } })
    for cost in costs {
      let steps = try #require(cost.elementwise)
      #expect(steps.map(\.step) == ElementwiseTrial.Step.allCases)
      for step in steps {
        // A row of 2048 takes more than nothing, and less than a millisecond.
        #expect((1e-9...1e-3).contains(step.secondsPerNumber * 2048 + step.secondsPerRow), "\(step)")
        #expect(step.secondsPerNumber >= 0 && step.secondsPerRow >= 0)
      }
    }
  }

  @Test("Where the size of the last-level cache is known, products read weights from it")
  func lastLevelCache() throws {
    var known = machine
    (known.cores, known.lastLevelCacheBytes) = (1, 1 << 20)
    let network = InProcessNetwork(ranks: 1)
    let rank = CalibrationRank(exchange: network.exchange(of: 0), kernels: .best, machine: known) { false }
    let options = CalibrationOptions(bufferBytes: 4 << 20, repeats: 1, linkSeconds: 0)
    let products = try #require(Calibrator(rank, options: options).run(version: "1").hosts[0].products)
    #expect(products.count == 7 && products.allSatisfy { ($0.cachedBytesPerSecond ?? 0) > 1e6 })
  }

  @Test("Three ranks: every pair of ranks, all sizes, and all reading at once")
  func together() throws {
    let (calibration, progress) = try calibrate(ranks: 3)
    #expect(calibration.hosts.map(\.ranks) == [[0, 1, 2]])
    #expect(calibration.links.map { [$0.from, $0.to] } == [[0, 1], [0, 2], [1, 2]])
    for link in calibration.links {
      #expect(link.messages.map(\.bytes) == [64, 8192, 32768, 1 << 20, 8 << 20])
      #expect(link.messages.allSatisfy { $0.rounds == 5 && $0.p99Seconds >= $0.p50Seconds && $0.p50Seconds > 0 })
    }
    let shared = try #require(calibration.hosts[0].readByAllRanks)
    #expect(shared.ranks == 3 && shared.threadsPerRank == 1 && shared.best >= shared.median && shared.median > 0)
    #expect(
      progress == [
        "0/5 memory and arithmetic", "1/5 messages between ranks 0 and 1", "2/5 messages between ranks 0 and 2",
        "3/5 messages between ranks 1 and 2", "4/5 memory, all ranks at once",
      ])
  }

  @Test("An interruption ends it between two measurements")
  func interrupted() {
    #expect(throws: Interrupted.self) { try calibrate(ranks: 2, interruptedAfter: 4) }
  }

  @Test("What a machine says about itself, and what it does not say")
  func facts() throws {
    let root = FileManager.default.temporaryDirectory.appending(path: "flotilla-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: root) }
    func write(_ text: String, _ path: String) throws {
      let file = root.appending(path: path)
      try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
    }
    try write("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nprocessor\t: 1\n", "proc/cpuinfo")
    try write("bbr\n", "proc/sys/net/ipv4/tcp_congestion_control")
    try write("always [madvise] never\n", "sys/kernel/mm/transparent_hugepage/enabled")
    for (index, level, size) in [(0, 1, "32K"), (1, 2, "1M"), (2, 3, "32768K")] {
      try write("\(level)\n", "sys/devices/system/cpu/cpu0/cache/index\(index)/level")
      try write("\(size)\n", "sys/devices/system/cpu/cpu0/cache/index\(index)/size")
    }
    let found = MachineFacts.ofThisMachine(root: root.path)
    #expect(found.cpu == "Some CPU @ 2 GHz" && found.congestionControl == "bbr" && found.hugePages == "madvise")
    #expect(found.governor == nil && found.lastLevelCacheBytes == 32 << 20 && found.cores >= 1)
    let silent = MachineFacts.ofThisMachine(root: root.path + "/nothing")
    #expect(!silent.cpu.isEmpty && silent.lastLevelCacheBytes == nil && silent.hugePages == nil)
  }
}

@Suite("Calibration files")
struct CalibrationFileTests {
  private static let sample = """
    {
      "schema": 1, "date": "2023-11-14T22:13:20Z", "flotilla": "1.2.3",
      "hosts": [{
        "name": "node1", "ranks": [0, 1], "instruction_set": "avx2", "buffer_bytes": 536870912,
        "machine": {"cpu": "Test CPU", "cores": 2, "kernel": "Linux 1.2", "governor": null, "huge_pages": "madvise"},
        "read_bytes_per_second": [{"threads": 1, "best": 2e10, "median": 1.9e10}],
        "read_by_all_ranks": {"ranks": 2, "threads_per_rank": 1, "best": 3e10, "median": 2.9e10},
        "multiply_adds_f32_per_second": [{"threads": 1, "best": 5e10, "median": 4.9e10}],
        "multiply_adds_int8_per_second": [{"threads": 1, "best": 2e11, "median": 1.9e11}],
        "products": [{"format": "q4_K", "threads": 1, "streamed_bytes_per_second": 1e10, "multiply_adds": [
          {"rows": 1, "per_second": 1e10}, {"rows": 2, "per_second": 1e10}, {"rows": 3, "per_second": 1e10},
          {"rows": 4, "per_second": 1e10}, {"rows": 8, "per_second": 1e10}, {"rows": 32, "per_second": 8e10}],
          "cached_bytes_per_second": 2e10,
          "further": {"exposed": [0, 0.1, 0.2, 0.3, 0.4, 0.5], "seconds_per_output": [0, 0, 0, 0, 0, 1e-9]}}],
        "costs": [{"threads": 1, "seconds_per_job": 1e-6, "attention": [
          {"form": "absorbed", "content": 512, "rotary": 64, "value": 512, "multiply_adds_per_second": 4e10},
          {"form": "absorbed", "content": 128, "rotary": 16, "value": 128, "multiply_adds_per_second": 3e10},
          {"form": "expanded", "content": 128, "rotary": 64, "value": 128, "multiply_adds_per_second": 4e10},
          {"form": "expanded", "content": 32, "rotary": 16, "value": 32, "multiply_adds_per_second": 2e10}],
          "elementwise": [
            {"step": "norm", "seconds_per_number": 2e-10, "seconds_per_row": 1e-8},
            {"step": "encode", "seconds_per_number": 3e-10, "seconds_per_row": 0},
            {"step": "add", "seconds_per_number": 1e-10, "seconds_per_row": 0},
            {"step": "activate", "seconds_per_number": 5e-10, "seconds_per_row": 7e-9}]}]
      }],
      "links": [{"from": 0, "to": 1, "messages": [
        {"bytes": 64, "rounds": 9, "p50_seconds": 1e-6, "p99_seconds": 2e-6, "bytes_per_second": 6.4e7}
      ]}]
    }
    """

  private func withFile<Result>(_ body: (URL) throws -> Result) throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appending(path: "flotilla-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder.appending(path: "deep/er/calibration.json"))
  }

  private func load(_ text: String, from file: URL) throws -> Calibration {
    try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: file)
    return try Calibration.load(file)
  }

  @Test("What is written is read, folders are made")
  func roundTrip() throws {
    try withFile { file in
      let sample = try load(Self.sample, from: file)
      #expect(sample.hosts[0].readByAllRanks?.best == 3e10 && sample.hosts[0].machine.hugePages == "madvise")
      #expect(sample.links[0].messages[0].p99Seconds == 2e-6)
      let other = file.deletingLastPathComponent().appending(path: "new/folder/other.json")
      try sample.write(to: other, makesFolders: true)
      #expect(try Calibration.load(other) == sample)
    }
  }

  @Test("A file of before work along rows was measured is read, and stays as it is")
  func withoutElementwise() throws {
    try withFile { file in
      let whole = try load(Self.sample, from: file)
      #expect(whole.hosts[0].costs?[0].elementwise?[3].secondsPerRow == 7e-9)
      let start = try #require(Self.sample.range(of: ",\n      \"elementwise\""))
      let end = try #require(Self.sample.range(of: "\"seconds_per_row\": 7e-9}]"))
      let old = try load(Self.sample.replacingCharacters(in: start.lowerBound..<end.upperBound, with: ""), from: file)
      #expect(old.hosts[0].costs?[0].attention.count == 4 && old.hosts[0].costs?[0].elementwise == nil)
      #expect(try !String(decoding: old.json(), as: UTF8.self).contains("elementwise"))
    }
  }

  @Test(
    "Every mistake is named by file and field",
    arguments: [
      ("{", "{ {", "JSON: expected a calibration, found an error at line 1"),
      ("\"schema\": 1", "\"schema\": 2", "schema: expected 1, found 2"),
      ("\"schema\": 1", "\"scheme\": 1", "schema: expected 1, found nothing"),
      ("\"cores\": 2", "\"cores\": 0", "hosts[0].machine.cores: expected at least 1, found 0"),
      ("\"cores\": 2", "\"cores\": \"2\"", "hosts[0].machine.cores: expected a number, found something else"),
      ("\"cores\": 2", "\"kernels\": 2", "hosts[0].machine.cores: expected a value, found nothing"),
      ("\"cores\": 2", "\"cores\": 2, \"cloud\": 9", "hosts[0].machine.cloud: expected no such field, found one"),
      (
        "\"best\": 3e10", "\"best\": -3",
        "hosts[0].read_by_all_ranks.best: expected a number above 0, found -3.0"
      ),
      ("\"q4_K\"", "\"q5_K\"", "hosts[0].products[0].format: expected values that fit"),
      (
        "\"per_second\": 8e10", "\"per_second\": 0",
        "hosts[0].products[0].multiply_adds[5].per_second: expected a number"
      ),
      ("\"rows\": 32", "\"rows\": 33", "hosts[0].products[0].multiply_adds: expected rows [1, 2, 3, 4, 8, 32], found"),
      (
        "\"cached_bytes_per_second\": 2e10", "\"cached_bytes_per_second\": 0",
        "hosts[0].products[0].cached_bytes_per_second: expected a number above 0"
      ),
      ("0.5]", "1.5]", "hosts[0].products[0].further.exposed[5]: expected 0 to 1.0, found 1.5"),
      (
        "0, 1e-9]", "1e-9]",
        "hosts[0].products[0].further.seconds_per_output: expected 6 numbers, one for each number of rows, found 5"
      ),
      (
        "\"seconds_per_job\": 1e-6", "\"seconds_per_job\": 0",
        "hosts[0].costs[0].seconds_per_job: expected a number above 0"
      ),
      (
        "\"content\": 128", "\"content\": 64",
        "hosts[0].costs[0].attention: expected the 4 sizes that this version measures"
      ),
      (
        "\"step\": \"encode\"", "\"step\": \"add\"",
        "hosts[0].costs[0].elementwise: expected the steps norm, encode, add, activate, found norm, add, add, activate"
      ),
      (
        "\"seconds_per_row\": 7e-9", "\"seconds_per_row\": -7e-9",
        "hosts[0].costs[0].elementwise[3].seconds_per_row: expected 0 to 0.001, found -7e-09"
      ),
      ("\"date\": \"2023-11-14T22:13:20Z\"", "\"date\": null", "date: expected a string, found null"),
    ])
  func mistakes(_ old: String, _ new: String, _ error: String) throws {
    try withFile { file in
      let changed = Self.sample.replacing(old, with: new, maxReplacements: 1)
      try #require(changed != Self.sample)
      let found = #expect(throws: CalibrationError.self) { try load(changed, from: file) }
      #expect(found?.description.hasPrefix(file.path + ": " + error) == true, "\(found?.description ?? "")")
    }
  }

  @Test("No file, and a place where none can be")
  func places() throws {
    try withFile { file in
      let missing = #expect(throws: CalibrationError.self) { try Calibration.load(file) }
      #expect(missing?.field == "file")
      let sample = try load(Self.sample, from: file)
      let unwritable = #expect(throws: CalibrationError.self) { try sample.write(to: file.appending(path: "x")) }
      #expect(unwritable?.file == file.path + "/x" && unwritable?.isFailure == false)
      // A folder that somebody named is not made.
      let folder = file.deletingLastPathComponent().appending(path: "none")
      #expect(throws: CalibrationError.self) { try sample.write(to: folder.appending(path: "x")) }
      #expect(!FileManager.default.fileExists(atPath: folder.path))
    }
  }

  @Test("The default place is the user's cache")
  func defaultPlace() {
    let given = Calibration.defaultFile(host: "a/b", environment: ["XDG_CACHE_HOME": "/cache"])
    #expect(given.path == "/cache/flotilla/calibration-a_b.json")
    let home = Calibration.defaultFile(host: "n", environment: ["XDG_CACHE_HOME": "relative"])
    #expect(home.path.hasSuffix("/.cache/flotilla/calibration-n.json"))
  }
}

import Foundation
import Glibc
import StrictJSON
import TestSupport
import Testing

@Suite("What goes wrong ends the job with one clear error", .serialized)
struct FaultTests {
  private let host = ProcessInfo.processInfo.hostName
  private static let trace = ["--sha256", "--token-ids", "1,2,3"]

  private func expectEnded(_ job: Job, status: Int32, within limit: Double = 15) {
    #expect(job.status == status, "\(job.errors)")
    #expect(job.seconds < limit)
    #expect(job.isClean, "left behind: \(job.survivors) \(job.segments)")
  }

  @Test("A checkpoint that is not there, on three ranks")
  func noModel() throws {
    let job = try flotilla(["trace", "/nowhere/model"] + Self.trace, ranks: 3)
    #expect(job.complaints.count == 1, "\(job.complaints)")
    #expect(job.complaints.first?.hasPrefix("error: rank 0 on host \(host): /nowhere/model: ") == true)
    expectEnded(job, status: 2)
  }

  @Test("Ranks with different checkpoints")
  func differentCheckpoints() throws {
    try withTemporaryFolder { folder in
      let other = folder.appending(path: "other")
      try FileManager.default.copyItem(at: Fixtures.url("tiny-f32"), to: other)
      let config = other.appending(path: "config.json")
      let text = try String(contentsOf: config, encoding: .utf8)
      let changed = text.replacingOccurrences(of: "\"rope_theta\": 10000", with: "\"rope_theta\": 20000")
      #expect(changed != text)
      try changed.write(to: config, atomically: true, encoding: .utf8)
      let job = try flotilla(
        ["trace", Fixtures.url("tiny-f32").filePath] + Self.trace, ranks: 2,
        more: [":", "-n", "1", try Job.executable("flotilla"), "trace", other.filePath] + Self.trace)
      #expect(job.complaints.count == 1, "\(job.complaints)")
      let line = try #require(job.complaints.first)
      #expect(
        line.hasPrefix("error: rank 2 on host \(host): differs from rank 0 on host \(host) in checkpoint: expected "))
      expectEnded(job, status: 3)
    }
  }

  @Test("A rank whose checkpoint cannot be opened")
  func oneWithoutCheckpoint() throws {
    let job = try flotilla(
      ["trace", Fixtures.url("tiny-f32").filePath] + Self.trace, ranks: 1,
      more: [":", "-n", "1", try Job.executable("flotilla"), "trace", "/nowhere/model"] + Self.trace)
    #expect(job.complaints.count == 1, "\(job.complaints)")
    #expect(
      job.complaints.first?.hasPrefix("error: rank 1 on host \(host): /nowhere/model: checkpoint: expected ") == true)
    #expect(job.errors.contains("hint: Check the path."), "\(job.errors)")
    expectEnded(job, status: 2)
  }

  @Test("Ranks with different binaries")
  func differentBinaries() throws {
    try withTemporaryFolder { folder in
      let copy = folder.appending(path: "flotilla")
      try Executable.writeOther(than: URL(filePath: try Job.executable("flotilla")), to: copy.filePath)
      let arguments = ["trace", Fixtures.url("tiny-f32").filePath] + Self.trace
      let job = try flotilla(arguments, ranks: 1, more: [":", "-n", "1", copy.filePath] + arguments)
      #expect(job.complaints.count == 1, "\(job.complaints)")
      #expect(
        job.complaints.first?.hasPrefix(
          "error: rank 1 on host \(host): differs from rank 0 on host \(host) in binary: expected ") == true)
      expectEnded(job, status: 3)
    }
  }

  @Test("Formats that differ between ranks")
  func differentFormats() throws {
    let arguments = ["trace", Fixtures.url("tiny-f32").filePath] + Self.trace
    let job = try flotilla(
      arguments + ["--quant", "f32"], ranks: 1,
      more: [":", "-n", "1", try Job.executable("flotilla")] + arguments + ["--quant", "bf16"])
    #expect(
      job.complaints.first?.hasPrefix(
        "error: rank 1 on host \(host): differs from rank 0 on host \(host) in weight format: expected f32, found bf16")
        == true)
    expectEnded(job, status: 3)
  }

  @Test("Placements that do not fit")
  func placements() throws {
    try withTemporaryFolder { folder in
      let file = folder.appending(path: "placement.json")
      func run(_ experts: [String]) throws -> Job {
        let hosts = experts.enumerated().map { "{\"rank\": \($0), \"experts\": \"\($1)\"}" }.joined(separator: ",")
        let json =
          "{\"version\": 1, \"experts\": 16, \"ranks\": 2, \"coordinator\": 0, \"router\": 1, \"hosts\": [\(hosts)]}"
        try json.write(to: file, atomically: true, encoding: .utf8)
        return try flotilla(
          ["trace", Fixtures.url("tiny-f32").filePath, "--placement", file.filePath] + Self.trace, ranks: 2)
      }
      for (experts, text) in [
        (["0-8", "8-15"], "hosts[1].experts: expected each expert at one host, found expert 8 also at rank 0"),
        (["0-7", "9-15"], "hosts: expected every expert from 0 to 15 at a host, found none for expert 8"),
      ] {
        let job = try run(experts)
        #expect(job.complaints.count == 1, "\(job.complaints)")
        #expect(job.complaints.first?.contains("\(file.filePath): \(text)") == true, "\(job.complaints)")
        expectEnded(job, status: 2)
      }
    }
  }

  /// A run in whose midst a rank gets a signal.
  private func generating(_ rank: Int, _ signal: Int32, timeout: String = "2") throws -> Job {
    try withBusyModel { model, _ in
      return try flotilla(
        ["generate", model, "-p", "a", "--raw", "--ignore-eos", "--temp", "0", "--timeout", timeout], ranks: 3,
        meanwhile: { job in
          guard !job.output.isEmpty, let victim = job.process(ofRank: rank) else { return false }
          kill(victim, signal)
          return true
        })
    }
  }

  @Test("A rank that stands still in mid-generation is named, with its host and the layer", arguments: [1, 2])
  func stopped(rank: Int) throws {
    let job = try generating(rank, SIGSTOP)
    #expect(job.complaints.count == 1, "\(job.errors)")
    let line = try #require(job.complaints.first)
    #expect(line.hasPrefix("error: rank \(rank) on host \(host): nothing heard for "))
    #expect(line.contains(/\ \(at layer [1-7], token \d+ of sequence 0\)$/), "\(line)")
    expectEnded(job, status: 3)
  }

  @Test("A coordinator that stands still is named by another rank")
  func stoppedCoordinator() throws {
    let job = try generating(0, SIGSTOP)
    // Each of the two others notices by itself, and on a busy machine both before mpirun ends the second.
    #expect((1...2).contains(job.complaints.count), "\(job.errors)")
    for line in job.complaints {
      #expect(line.hasPrefix("error: rank 0 on host \(host): nothing heard for "))
      #expect(line.contains(" while waiting for work after that of layer "), "\(line)")
    }
    expectEnded(job, status: 3)
  }

  @Test("A rank that is killed in mid-generation")
  func killed() throws {
    // mpirun is the first to notice and says who; the coordinator, told to end, says where the run stood.
    let job = try generating(2, SIGKILL, timeout: "10")
    #expect(job.errors.filter { $0.contains("rank 2") && $0.contains("signal 9") }.count == 1, "\(job.errors)")
    #expect(job.complaints.count == 1)
    let line = try #require(job.complaints.first)
    #expect(line.hasPrefix("error: rank 2 on host \(host): nothing heard for "))
    #expect(
      line.contains(/, and the launcher ends the job \(at layer [1-7], token \d+ of sequence 0\)$/), "\(line)")
    expectEnded(job, status: 137)
  }
}

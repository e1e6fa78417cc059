import Foundation
import TestSupport
import Testing

/// What befalls the files of a preparation, between runs and in the middle of one.
@Suite("Prepared models: faults", .serialized)
struct PreparedFaultTests {
  private func prepare(_ source: URL, _ folder: URL, _ more: [String] = []) throws -> Job {
    try flotilla(["prepare", source.filePath, folder.filePath, "--quiet"] + more, ranks: nil)
  }

  private func names(_ folder: URL) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.filePath).sorted()
  }

  private func isSame(_ one: URL, _ other: URL) throws -> Bool {
    try names(one) == names(other)
      && names(one).allSatisfy {
        FileManager.default.contentsEqual(
          atPath: one.appending(path: $0).filePath, andPath: other.appending(path: $0).filePath)
      }
  }

  private func flip(_ file: URL, at offset: UInt64) throws {
    let handle = try FileHandle(forUpdating: file)
    try handle.seek(toOffset: offset)
    let byte = try #require(try handle.read(upToCount: 1)).first!
    try handle.seek(toOffset: offset)
    try handle.write(contentsOf: Data([byte ^ 1]))
    try handle.close()
  }

  /// A model, prepared once as a whole, and once killed when some pieces were noted.
  private func withKilled(_ body: (_ source: URL, _ whole: URL, _ killed: URL) throws -> Void) throws {
    try withTemporaryFolder { folder in
      let (source, whole) = (folder.appending(path: "source"), folder.appending(path: "whole"))
      let killed = folder.appending(path: "killed")
      _ = try flotilla(["synthesize", source.filePath, "--like", "mini", "--seed", "3", "--quiet"], ranks: nil)
      #expect(try prepare(source, whole).status == 0)
      let journal = killed.appending(path: ".preparation")
      for _ in 0..<20 {
        try? FileManager.default.removeItem(at: killed)
        let arguments = ["prepare", source.filePath, killed.filePath, "--quiet", "--threads", "1"]
        let job = try flotilla(arguments, ranks: nil) { running in
          let lines = (try? String(contentsOf: journal, encoding: .utf8))?.split(separator: "\n").count ?? 0
          guard lines > 1 else { return false }
          kill(running.process, SIGKILL)
          return true
        }
        if job.status == SIGKILL { return try body(source, whole, killed) }
      }
      Issue.record("it was never killed in time")
    }
  }

  @Test("A source that changed between two runs is not mixed with what it was")
  func changedSource() throws {
    try withKilled { source, _, killed in
      // A byte that no sample of the weights holds, and the size stays.
      try flip(source.appending(path: "model.safetensors"), at: 9_000_001)
      let job = try prepare(source, killed)
      #expect(job.status == 2, "\(job.errors)")
      #expect(job.complaints.first?.contains("model.safetensors changed since then") == true, "\(job.errors)")
      #expect(job.errors.contains { $0.hasPrefix("hint: ") && $0.contains("--force") })
      #expect(try prepare(source, killed, ["--force"]).status == 0)
      #expect(try flotilla(["inspect", killed.filePath, "--verify"], ranks: nil).status == 0)
    }
  }

  @Test("A smaller run keeps what a larger one has finished; a file that was cut is made again")
  func progress() throws {
    try withKilled { source, whole, killed in
      let journal = killed.appending(path: ".preparation")
      let before = try String(contentsOf: journal, encoding: .utf8).split(separator: "\n")
      #expect(try prepare(source, killed, ["--experts", "none", "--no-dense"]).status == 0)
      let after = try String(contentsOf: journal, encoding: .utf8).split(separator: "\n")
      #expect(after[0] == before[0])
      #expect(Set(after) == Set(before.filter { !$0.hasPrefix("gates ") }))
      // A run of a model that is not all there is refused in words.
      let run = try flotilla(["trace", killed.filePath, "--sha256", "--token-ids", "1"], ranks: nil)
      #expect(run.status == 2 && run.complaints.first?.contains("bundles: expected dense") == true, "\(run.errors)")

      for name in try names(killed) where name.hasSuffix(".part") {
        truncate(killed.appending(path: name).filePath, 0)
      }
      // Killed again at its very beginning, the forgotten pieces stay forgotten.
      _ = try flotilla(["prepare", source.filePath, killed.filePath, "--quiet"], ranks: nil) { running in
        usleep(15_000)
        kill(running.process, SIGKILL)
        return true
      }
      #expect(try prepare(source, killed).status == 0)
      #expect(try isSame(whole, killed))
    }
  }

  @Test("A flipped bit: the hint is followed, and the bundle is whole again")
  func repaired() throws {
    try withTemporaryFolder { folder in
      let (source, model) = (Fixtures.url("tiny-f32"), folder.appending(path: "model"))
      #expect(try prepare(source, model).status == 0)
      try flip(model.appending(path: "expert-003.bundle"), at: 5000)
      let found = try flotilla(["inspect", model.filePath, "--verify"], ranks: nil)
      #expect(found.status == 2)
      #expect(found.errors.contains { $0.contains("give flotilla prepare the same arguments again") })
      let run = try flotilla(["trace", model.filePath, "--sha256", "--token-ids", "1", "--verify"], ranks: nil)
      #expect(run.status == found.status, "one cause, one exit code")
      let again = try prepare(source, model)
      #expect(again.status == 0 && again.errors == ["warning: damaged, and made again: expert-003.bundle"])
      #expect(try flotilla(["inspect", model.filePath, "--verify"], ranks: nil).status == 0)
      let export = try flotilla(["export", model.filePath, folder.appending(path: "x.gguf").filePath], ranks: nil)
      #expect(export.status == 2, "\(export.errors)")
      #expect(
        export.complaints.first
          == "error: model: checkpoint: expected a Hugging Face folder or GGUF file, found a prepared model")
    }
  }

  @Test("Bundles that are not here are told in one line")
  func missing() throws {
    try withTemporaryFolder { folder in
      let model = folder.appending(path: "model")
      #expect(try prepare(Fixtures.url("tiny-f32"), model).status == 0)
      try FileManager.default.removeItem(at: model.appending(path: "expert-003.bundle"))
      let text = "1 of 18 bundles is not here: expert 3"
      let plain = try flotilla(["inspect", model.filePath], ranks: nil)
      #expect(plain.status == 0 && plain.output.contains { $0.hasSuffix(text) }, "\(plain.output)")
      let verified = try flotilla(["inspect", model.filePath, "--verify"], ranks: nil)
      #expect(verified.status == 0 && verified.errors.contains("note: " + text), "\(verified.errors)")
      for (list, found) in [("0-99", "found 16-99"), ("dense,0-5", "found all but 3")] {
        let job = try flotilla(["inspect", model.filePath, "--verify", "--bundles", list], ranks: nil)
        #expect(job.status == 2 && job.complaints.count == 1, "\(job.errors)")
        #expect(job.complaints[0].hasSuffix(found), "\(job.errors)")
      }
      let none = try flotilla(["inspect", model.filePath, "--verify", "--bundles", "none"], ranks: nil)
      #expect(none.status == 0, "\(none.errors)")
    }
  }

  @Test("A bundle that is cut during a run, and damage found by --verify: rank, host and file")
  func ranks() throws {
    try withTemporaryFolder { folder in
      let host = ProcessInfo.processInfo.hostName
      let (source, model) = (folder.appending(path: "source"), folder.appending(path: "model"))
      _ = try flotilla(["synthesize", source.filePath, "--like", "mini", "--seed", "3", "--quiet"], ranks: nil)
      #expect(try prepare(source, model, ["--quant", "q4_K"]).status == 0)
      let dense = model.appending(path: "dense.bundle")
      let bytes = try Data(contentsOf: dense)
      let arguments = [
        "generate", model.filePath, "-p", "a", "-n", "1500", "--quiet", "--ctx-size", "1600", "--huge-pages", "off",
      ]
      let job = try flotilla(arguments, ranks: 2) { running in
        guard !running.output.isEmpty else { return false }
        truncate(dense.filePath, 8192)
        return true
      }
      #expect(job.status == 2 && job.complaints.count == 1 && job.survivors == [], "\(job.errors)")
      #expect(
        job.complaints.first
          == "error: rank 0 on host \(host): \(dense.filePath): file size: expected \(bytes.count) bytes, found 8192: "
          + "the file was cut short while it was read", "\(job.errors)")

      // Opened by all, so that the first that finds it speaks: rank 0 too says who it is.
      let opened = try flotilla(arguments, ranks: 2)
      #expect(opened.status == 2 && opened.complaints.count == 1, "\(opened.errors)")
      #expect(opened.complaints.first?.hasPrefix("error: rank 0 on host \(host): ") == true, "\(opened.errors)")
      try bytes.write(to: dense)
      try flip(dense, at: 9000)
      let verified = try flotilla(arguments + ["--verify"], ranks: 2)
      #expect(verified.status == 2 && verified.complaints.count == 1, "\(verified.errors)")
      #expect(
        verified.complaints.first?.hasPrefix("error: rank 0 on host \(host): dense.bundle: tensor ") == true,
        "\(verified.errors)")
    }
  }

  @Test("Formats that differ between nodes are named")
  func formats() throws {
    try withTemporaryFolder { folder in
      let (one, other) = (folder.appending(path: "one"), folder.appending(path: "other"))
      #expect(try prepare(Fixtures.url("tiny-f32"), one, ["--quant", "q8_0"]).status == 0)
      #expect(try prepare(Fixtures.url("tiny-f32"), other, ["--quant", "bf16"]).status == 0)
      let more = ["--sha256", "--token-ids", "1"]
      let job = try flotilla(
        ["trace", one.filePath] + more, ranks: 1,
        more: [":", "-n", "1", try Job.executable("flotilla"), "trace", other.filePath] + more)
      #expect(job.complaints.first?.contains("in weight format: expected q8_0, found bf16") == true, "\(job.errors)")
    }
  }
}

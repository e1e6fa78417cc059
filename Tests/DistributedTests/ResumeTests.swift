import Foundation
import Glibc
import Inference
import StrictJSON
import TestSupport
import Testing

@Suite("Going on after a crash", .serialized)
struct ResumeTests {
  private static let prompts = [
    "-p", "a", "-p", "bcd", "--raw", "--ignore-eos", "-n", "1000", "--temp", "1.1", "--top-p", "0.95", "--seed", "7",
  ]

  /// Whether a journal has so many steps.
  private func has(_ journal: String, steps: Int) -> Bool {
    let text = FileManager.default.contents(atPath: journal) ?? Data()
    return text.count { $0 == 10 } >= 3 + steps
  }

  @Test("A rank killed in mid-generation, gone on with two ranks and one: the same output", arguments: [0, 2])
  func killed(rank: Int) throws {
    try withBusyModel { model, folder in
      let journal = folder.appending(path: "journal").filePath
      let whole = try flotilla(["generate", model, "--quiet"] + Self.prompts, ranks: 2)
      #expect(whole.status == 0 && whole.output.count >= 4, "\(whole.errors)")
      let lines = try flotilla(["generate", model, "--quiet", "--json"] + Self.prompts, ranks: nil)
      let killed = try flotilla(
        ["generate", model, "--journal", journal, "--quiet"] + Self.prompts, ranks: 3,
        meanwhile: { job in
          guard has(journal, steps: 15), let victim = job.process(ofRank: rank) else { return false }
          kill(victim, SIGKILL)
          return true
        })
      #expect(killed.status == 137 && killed.isClean, "\(killed.errors)")
      let left = try Journal(path: journal)
      #expect(!left.isComplete && left.generatedTokens >= 28)

      for (ranks, options, expected) in [
        (2, ["--coordinator-rank", "1"], whole), (1, ["--threads", "1", "--prefill-chunk", "20"], whole),
        (3, ["--json"], lines),
      ] {
        let copy = journal + "-\(ranks)"
        try FileManager.default.copyItem(atPath: journal, toPath: copy)
        let resumed = try flotilla(["generate", "--resume", copy, "--quiet"] + options, ranks: ranks)
        #expect(resumed.status == 0, "\(resumed.errors)")
        #expect(resumed.output == expected.output, "on \(ranks) ranks")
        #expect(try Journal(path: copy).isComplete)
      }
    }
  }

  @Test("SIGTERM: an orderly end with journal and record, alone and of mpirun", arguments: [nil, 3])
  func terminated(ranks: Int?) throws {
    try withBusyModel { model, folder in
      let journal = folder.appending(path: "journal").filePath
      let record = folder.appending(path: "record").filePath
      let job = try flotilla(
        ["generate", model, "--journal", journal, "--record", record] + Self.prompts, ranks: ranks,
        meanwhile: { job in
          guard has(journal, steps: 15) else { return false }
          kill(job.process, SIGTERM)
          return true
        })
      // mpirun has a status of its own.
      #expect(ranks == nil ? job.status == 130 : job.status != 0)
      #expect(job.isClean, "\(job.survivors)")
      let left = try Journal(path: journal)
      #expect(!left.isComplete && left.tornBytes == 0)
      let written = try StrictJSON.parse(Data(contentsOf: URL(filePath: record)))
      #expect(written["tokens"]?["generated"]?.int == left.generatedTokens, "the last token is in the journal")
      let whole = try flotilla(["generate", model, "--quiet"] + Self.prompts, ranks: nil)
      let resumed = try flotilla(["generate", "--resume", journal], ranks: 2)
      #expect(resumed.output == whole.output)
      #expect(
        resumed.errors.contains("note: \(journal): resumed behind \(left.generatedTokens) tokens of 2 sequences"),
        "\(resumed.errors)")
      // All but the last of each sequence; of one that had ended, all.
      let read = (left.generatedTokens - 2...left.generatedTokens).map { "\($0) of the journal" }
      #expect(resumed.errors.contains { line in read.contains { line.contains($0) } }, "\(resumed.errors)")
    }
  }

  @Test("A complete journal prints the same, on any ranks, without model or work")
  func complete() throws {
    try withTemporaryFolder { folder in
      let model = folder.appending(path: "model")
      try FileManager.default.copyItem(at: Fixtures.url("tiny-f32"), to: model)
      let journal = folder.appending(path: "journal").filePath
      let options = [
        "-p", "one", "-p", "two", "-n", "9", "--temp", "1", "--seed", "3", "--quiet", "--top-logprobs", "2",
      ]
      let first = try flotilla(
        ["generate", model.filePath, "--journal", journal, "--journal-interval", "0", "--json"] + options, ranks: 2)
      #expect(first.status == 0 && first.output.count == 2, "\(first.errors)")
      try FileManager.default.removeItem(at: model)
      let bytes = try Data(contentsOf: URL(filePath: journal))
      for ranks in [nil, 2] {
        let again = try flotilla(["generate", "--resume", journal, "--json", "--quiet"], ranks: ranks)
        #expect(again.status == 0 && again.output == first.output, "\(again.errors)")
      }
      let again = try flotilla(["generate", "--resume", journal], ranks: nil)
      #expect(again.errors.first == "note: \(journal): complete, 18 tokens of 2 sequences")
      #expect(try Data(contentsOf: URL(filePath: journal)) == bytes)
    }
  }

  @Test("What does not fit is told before anything is generated, on one rank and on two")
  func refused() throws {
    try withTemporaryFolder { folder in
      let model = folder.appending(path: "model")
      try FileManager.default.copyItem(at: Fixtures.url("tiny-f32"), to: model)
      let journal = folder.appending(path: "journal").filePath
      let begun = ["generate", model.filePath, "-p", "a", "-n", "3", "--journal", journal, "--quiet"]
      #expect(try flotilla(begun, ranks: nil).status == 0)
      func expect(_ arguments: [String], _ text: String) throws {
        for ranks in [nil, 2] {
          let job = try flotilla(arguments, ranks: ranks)
          #expect(job.complaints.count == 1 && job.complaints.first?.contains(text) == true, "\(job.errors)")
          #expect(job.status == 2 && job.output == [] && job.isClean)
        }
      }
      try expect(begun, "\(journal): journal: expected no such file yet, found one that is not empty")
      // The last step gone: something is left to do.
      let lines = try Data(contentsOf: URL(filePath: journal)).split(separator: 10)
      try Data(lines.dropLast().joined(separator: [10]) + [10]).write(to: URL(filePath: journal))
      let resume = ["generate", "--resume", journal, "--quiet"]
      try expect(
        resume + [Fixtures.url("tiny-v2lite").filePath], "\(journal): line 1: fingerprint of the model: expected ")
      try expect(resume + ["-c", "5"], "--ctx-size: expected ")
      let defaults = model.appending(path: "generation_config.json")
      let config = try String(contentsOf: defaults, encoding: .utf8)
      try #"{"eos_token_id": 77}"#.write(to: defaults, atomically: true, encoding: .utf8)
      try expect(resume, "\(journal): line 1: end_tokens: expected [")
      try config.write(to: defaults, atomically: true, encoding: .utf8)
      let moved = folder.appending(path: "moved")
      try FileManager.default.moveItem(at: model, to: moved)
      try expect(resume, "\(journal): line 1: model: expected model at \(model.filePath), where it was, found nothing")
      #expect(try flotilla(resume + [moved.filePath], ranks: 2).status == 0)
      var damaged = try Data(contentsOf: URL(filePath: journal))
      damaged[damaged.count / 2] ^= 4
      try damaged.write(to: URL(filePath: journal))
      try expect(["generate", "--resume", journal], "\(journal): line ")
    }
  }

  @Test("Bundles that are missing on some ranks: which, how many bytes, and the push that brings them")
  func missingBundles() throws {
    try withTemporaryFolder { folder in
      func prepared(_ name: String, _ options: [String]) throws -> String {
        let path = folder.appending(path: name).filePath
        let job = try flotilla(["prepare", Fixtures.url("tiny-f32").filePath, path, "--quiet"] + options, ranks: nil)
        #expect(job.status == 0, "\(job.errors)")
        return path
      }
      let first = try prepared("first", ["--experts", "0-3"])
      let second = try prepared("second", ["--experts", "8", "--no-dense"])
      let arguments = ["-p", "a", "-n", "2", "--coordinator-experts", "8"]
      let job = try flotilla(
        ["generate", first] + arguments, ranks: 1,
        more: [":", "-n", "1", try Job.executable("flotilla"), "generate", second] + arguments)
      let host = ProcessInfo.processInfo.hostName
      #expect(job.status == 2 && job.complaints.count == 1, "\(job.errors)")
      let line = try #require(job.complaints.first)
      #expect(
        line.hasPrefix("error: rank 0 on host \(host): bundles: expected expert 4-7 (304.0 KiB) in \(first)"), "\(line)"
      )
      #expect(
        line.contains("; rank 1 on host \(host): bundles: expected expert 9-15 (532.0 KiB) in \(second)"), "\(line)")
      #expect(
        job.errors.contains {
          $0.hasPrefix(
            "hint: bundles come with flotilla push PREPARED --hostfile HOSTFILE --to \(first) --coordinator-experts 8")
        }, "\(job.errors)")
    }
  }
}

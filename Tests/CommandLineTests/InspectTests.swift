import Foundation
import TestSupport
import Testing

@Suite("inspect")
struct InspectTests {
  static let tiny = Fixtures.url("tiny-f32").filePath

  @Test("What a checkpoint is")
  func text() throws {
    let run = try Run(["inspect", Self.tiny])
    #expect(run.status == 0 && run.errors == "")
    #expect(
      run.text == """
        tiny-f32: deepseek_v3, 481k parameters

          parameters   481,200 in total
          active       227,312 per token (47.2 %)
          layers       4: 1 dense, 3 with experts
          hidden       64
          experts      16 routed a layer, 4 per token, from 2 of 4 groups; 1 shared
          gate         sigmoid, noaux_tc
          attention    MLA, 4 heads; queries through rank 48, latent rank 32
          cache        640 B per token
          positions    256
          vocabulary   512
          files        1 safetensors, 1.84 MiB of tensors
          fingerprint  4f85d7b3e2427ace

          Part                Tensors  Parameters   Share    Stored  Formats
          embedding                 1       32.8k   6.8 %   128 KiB  F32
          attention                20       73.7k  15.3 %   288 KiB  F32
          dense feed-forward        3       24.6k   5.1 %  96.0 KiB  F32
          shared experts            9       18.4k   3.8 %  72.0 KiB  F32
          routed experts          144        295k  61.3 %  1.12 MiB  F32
          gates                     6       3.12k   0.6 %  12.2 KiB  F32
          norms                    17         896   0.2 %  3.50 KiB  F32
          head                      1       32.8k   6.8 %   128 KiB  F32

        """)
  }

  @Test("As JSON, for every checkpoint", arguments: Fixtures.checkpoints)
  func json(_ name: String) throws {
    let run = try Run(["inspect", "-m", Fixtures.url(name).filePath, "--json", "--placement-for", "3"])
    let json = try JSONSerialization.jsonObject(with: Data(run.output)) as! [String: Any]
    let facts = json["checkpoint"] as! [String: Any]
    let parts = (facts["parts"] as! [[String: Any]]).filter { $0["part"] as? String != "multi-token prediction" }
    let parameters = facts["parameters"] as! Int
    #expect(facts["name"] as? String == name)
    #expect(parts.reduce(0) { $0 + ($1["parameters"] as! Int) } == parameters)
    #expect((1..<parameters).contains(facts["active_per_token"] as! Int))
    let ranks = (json["placement"] as! [String: Any])["ranks"] as! [[String: Any]]
    let experts = (facts["shape"] as! [String: Any])["routed_experts"] as! Int
    #expect(ranks.reduce(0) { $0 + ($1["expert_count"] as! Int) } == experts)
    // On three ranks the coordinator has enough to do without experts.
    #expect(ranks.map { $0["roles"] as? [String] } == [["coordinator"], ["router", "experts"], ["experts"]])
    #expect(ranks[0]["expert_count"] as? Int == 0)
  }

  @Test("A folder's tokenizer that generate would refuse is told beforehand; so is a missing one")
  func tokenizer() throws {
    try withTemporaryPath { path in
      try FileManager.default.copyItem(atPath: Self.tiny, toPath: path)
      let file = URL(filePath: path + "/tokenizer.json")
      let text = String(decoding: try Data(contentsOf: file), as: UTF8.self)
      try text.replacing(#"\\p{N}{1,3}"#, with: #"\\p{N}{1,4}"#).write(to: file, atomically: true, encoding: .utf8)
      let unknown = try Run(["inspect", path])
      #expect(unknown.status == 2 && unknown.errors.contains(#"Regex: unknown pattern "\p{N}{1,4}"; known are"#))
      #expect(unknown.lines.contains("  tokenizer    not usable: token ids only (flotilla trace)"))
      try FileManager.default.removeItem(at: file)
      let none = try Run(["inspect", path])
      #expect(none.status == 0 && none.lines.contains("  tokenizer    none: token ids only (flotilla trace)"))
      #expect(try Run(["inspect", path, "--json"]).text.contains(#""tokenizer" : "none""#))
      let warning = "warning: no tokenizer.json in \(URL(filePath: path).lastPathComponent): generate, chat and "
      #expect(none.errors.hasPrefix(warning))
      for (option, isSaid) in [("--force", true), ("-q", false)] {
        let prepared = try Run(["prepare", path, path + "/prepared", option])
        #expect(prepared.status == 0 && prepared.errors.hasPrefix(warning) == isSaid, "\(prepared.errors)")
      }
    }
  }

  @Test("One number for the cache of a token: that of the formats that would run", arguments: ["auto", "q8_0"])
  func cache(_ quant: String) throws {
    let run = try Run(["inspect", Self.tiny, "--quant", quant, "--placement-for", "2", "--json"])
    let json = try JSONSerialization.jsonObject(with: Data(run.output)) as? [String: [String: Any]]
    // 4 layers of 32 latents in 4 or 2 bytes and 8 rotary numbers in 4.
    let expected = quant == "auto" ? 640 : 384
    #expect(json?["checkpoint"]?["cache_bytes_per_token"] as? Int == expected)
    #expect(json?["placement"]?["cache_bytes_per_token"] as? Int == expected)
  }

  @Test("A placement that was written is one that is read")
  func placement() throws {
    try withTemporaryPath { path in
      let options = ["--coordinator-rank", "2", "--router-rank", "0"]
      let arguments = ["inspect", Self.tiny, "--placement-for", "4", "--json"]
      let written = try Run(arguments + ["--write-placement", path] + options)
      #expect(written.status == 0 && written.errors == "Wrote \(path).\n")
      #expect(try Run(arguments + ["--placement", path]).output == written.output)
      // It may have been edited: never over what is there, also not through a link.
      let before = try Data(contentsOf: URL(filePath: path))
      try withTemporaryPath { link in
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: path)
        for there in [path, link] {
          let again = try Run(["inspect", Self.tiny, "--placement-for", "2", "--write-placement", there])
          #expect(again.status == 2 && again.output == [])
          #expect(
            again.errors.hasPrefix("error: --write-placement: expected a new file, found \(there) there already\n"))
        }
      }
      #expect(try Data(contentsOf: URL(filePath: path)) == before)
      #expect(try Run(arguments + ["--write-placement", "/dev/null"] + options).output == written.output)
      let wrong = try Run(["inspect", Self.tiny, "--placement-for", "3", "--placement", path])
      #expect(wrong.status == 2)
      #expect(
        wrong.errors == """
          error: placement \(path): ranks: expected 3, found 4
          hint: the job has 3: start as many as the file is for, or write another with flotilla inspect MODEL --placement-for 3 --write-placement FILE

          """)
    }
  }

  @Test("Without a MODEL it is the built-in one, also through a link to the executable")
  func builtIn() throws {
    let direct = try Run(["inspect"])
    #expect(direct.text.hasPrefix("Abacus: deepseek_v3, 4.65M parameters\n"))
    try withTemporaryPath { path in
      try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: try Job.executable("flotilla"))
      let process = ChildProgram()
      let output = Pipe()
      process.executableURL = URL(filePath: path)
      process.arguments = ["inspect"]
      process.standardOutput = output
      try process.run()
      #expect(Array(output.fileHandleForReading.readDataToEndOfFile()) == direct.output)
      process.waitUntilExit()
    }
  }
}

@Suite("synthesize")
struct SynthesizeTests {
  @Test("The same seed gives the same bytes; the result is a checkpoint with a tokenizer")
  func sameBytes() throws {
    try withTemporaryPath { first in
      try withTemporaryPath { second in
        let run = try Run(["synthesize", first, "--like", "tiny", "--seed", "7"])
        #expect(run.status == 0 && run.errors == "")
        #expect(run.text.hasPrefix("Wrote ") && run.text.hasSuffix("to \(first) (seed 7).\n"))
        let again = try Run(["synthesize", second, "--like", first + "/config.json", "-s", "7", "--quiet"])
        #expect(again.output == [])
        for name in try FileManager.default.contentsOfDirectory(atPath: first) {
          #expect(
            try Data(contentsOf: URL(filePath: first + "/" + name))
              == Data(contentsOf: URL(filePath: second + "/" + name)))
        }
        #expect(try Run(["inspect", first]).status == 0)
        #expect(try Run(["tokenize", first], text: "abc").status == 0)
      }
    }
  }

  @Test("Stored types", arguments: [("f32", "F32"), ("bf16", "BF16"), ("fp8", "F8_E4M3")])
  func types(_ option: String, _ type: String) throws {
    try withTemporaryPath { path in
      #expect(try Run(["synthesize", path, "--like", "tiny", "--dtype", option]).status == 0)
      let experts = try Run(["inspect", path]).lines.first { $0.contains("routed experts ") }
      #expect(experts?.hasSuffix(" " + type) == true)
    }
  }

  @Test("Never writes into what is there; unknown shapes are named")
  func refusals() throws {
    let there = try Run(["synthesize", Fixtures.url("tiny-f32").filePath, "--like", "tiny"])
    #expect(there.status == 2)
    #expect(there.errors.contains("expected a new or empty folder, found something there already"))
    let unknown = try Run(["synthesize", "/tmp/unused", "--like", "huge"])
    #expect(unknown.status == 2)
    #expect(
      unknown.errors.hasPrefix(
        """
        error: --like: expected a config.json, a published model or one of tiny, mini, bench-3b, v2-lite, v2, r1, Abacus, \
        found "huge"
        hint: Check the path. Published: DeepSeek-V2-Lite,
        """))
  }

  /// A disk that holds R1 would be written to for an hour.
  static var isDiskSmall: Bool {
    let values = try? FileManager.default.attributesOfFileSystem(
      forPath: FileManager.default.temporaryDirectory.filePath)
    return (values?[.systemFreeSize] as? NSNumber).map { $0.int64Value < 600_000_000_000 } ?? false
  }

  @Test("A shape larger than the disk is refused before anything is written", .enabled(if: isDiskSmall))
  func tooLarge() throws {
    try withTemporaryPath { path in
      let run = try Run(["synthesize", path, "--like", "r1"])
      #expect(run.status == 1)
      #expect(run.errors.contains("disk: expected "))
      #expect((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] == [])
    }
  }
}

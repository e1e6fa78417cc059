import Foundation
import TestSupport
import Testing

@Suite("export")
struct ExportTests {
  static let tiny = Fixtures.url("tiny-f32").filePath

  @Test("Writes a file that every command reads, and says what it wrote")
  func export() throws {
    try withTemporaryPath { path in
      let file = path + ".gguf"
      defer { try? FileManager.default.removeItem(atPath: file) }
      let run = try Run(["export", Self.tiny, file])
      #expect(run.status == 0 && run.errors == "")
      #expect(run.text == "Wrote \(file): F32, 1.86 MiB (F32 1.84 MiB).\n")
      let name = URL(filePath: file).lastPathComponent
      let inspected = try Run(["inspect", file])
      #expect(inspected.lines.first == "\(name): deepseek_v3, 481k parameters")
      #expect(inspected.lines.contains("  files        1 GGUF, 1.84 MiB of tensors"))
      let trace = ["--token-ids", "0,5,6", "--greedy", "3", "--sha256", "-q"]
      #expect(try Run(["trace", file] + trace).output == Run(["trace", Self.tiny] + trace).output)
      let generate = ["-p", "What?", "-n", "8", "--temp", "0", "-q"]
      #expect(try Run(["generate", file] + generate).output == Run(["generate", Self.tiny] + generate).output)
      #expect(
        try Run(["tokenize", file], text: "Hello, 12345").output
          == Run(["tokenize", Self.tiny], text: "Hello, 12345").output)
      // What is there is never written over; a GGUF file can be exported again.
      let again = try Run(["export", file, file])
      #expect(again.status == 2)
      #expect(again.errors.hasPrefix("error: \(file): output: expected a new file, found something there already\n"))
    }
  }

  @Test("Several files, which any part opens")
  func split() throws {
    try withTemporaryPath { path in
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
      let run = try Run(["export", Self.tiny, path + "/m.gguf", "--split-max-size", "800K"])
      #expect(run.status == 0 && run.errors == "")
      let first = path + "/m-00001-of-00003.gguf"
      #expect(run.text == "Wrote 3 files, \(first) and so on: F32, 1.86 MiB (F32 1.84 MiB).\n")
      let trace = ["--token-ids", "0,5,6", "--greedy", "3", "--sha256", "-q"]
      let expected = try Run(["trace", Self.tiny] + trace).output
      #expect(try Run(["trace", path] + trace).output == expected)
      let last = path + "/m-00003-of-00003.gguf"
      #expect(try Run(["trace", last] + trace).output == expected)
      try FileManager.default.removeItem(atPath: last)
      let incomplete = try Run(["trace", first] + trace)
      #expect(incomplete.status == 2)
      #expect(
        incomplete.errors.hasPrefix(
          "error: m-00001-of-00003.gguf: field split.count: expected 3 files, found 1 of them missing: "
            + "m-00003-of-00003.gguf\nhint: "))
      // The tokenizer is in the first part.
      #expect(
        try Run(["tokenize", first], text: "Hello, 12345").output
          == Run(["tokenize", Self.tiny], text: "Hello, 12345").output)
    }
    for size in ["0", "1T", "-5M", "99999999999G", ""] {
      #expect(try Run(["export", Self.tiny, "/tmp/unused", "--split-max-size", size]).status == 2)
    }
  }

  @Test("Types in any case; fallbacks are told")
  func types() throws {
    try withTemporaryPath { path in
      let run = try Run(["export", Self.tiny, path, "--type", "q4_k_m"])
      #expect(run.status == 0)
      #expect(run.lines.first?.hasPrefix("Wrote \(path): Q4_K_M, ") == true)
      #expect(
        run.lines.contains { $0.hasSuffix("with rows of 64: Q4_1 instead of Q4_K, whose blocks have 256 elements.") })
      #expect(try Run(["export", path, path + "2", "--type", "bf16", "-q"]).output == [])
      try FileManager.default.removeItem(atPath: path + "2")
    }
    for (type, advice) in [
      ("Q5_K", "; use Q6_K"), ("q4_0", "; use Q4_K or Q4_K_M"), ("Q4_K_S", "; use Q4_K or Q4_K_M"),
      ("fp16", "; use F16"), ("int8", "; use Q8_0"), ("bfloat16", "; use BF16"), ("", ""), ("Q", ""),
    ] {
      let unknown = try Run(["export", Self.tiny, "/tmp/unused", "--type", type])
      #expect(unknown.status == 2)
      #expect(
        unknown.errors.hasPrefix(
          "error: --type: expected one of F32, F16, BF16, Q8_0, Q6_K, Q4_K, Q4_K_M, found \"\(type)\"\(advice).\n"))
    }
  }

  @Test("Where nothing can be written: the disk's fault, exit code 1")
  func unwritable() throws {
    let run = try Run(["export", Self.tiny, "/nonexistent/a.gguf"])
    #expect(run.status == 1)
    #expect(run.errors.hasPrefix("error: a.gguf: file: expected to create it, found No such file or directory\n"))
  }
}

import Checkpoint
import Foundation
import StrictJSON
import TestSupport
import Testing

@Suite("inspect of GGUF files")
struct InspectGGUFTests {
  /// tiny-f32 in several files.
  private func withParts(_ type: String, _ body: (_ folder: String, _ first: String, _ files: [String]) throws -> Void)
    throws
  {
    try withTemporaryPath { path in
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
      let run = try Run([
        "export", ExportTests.tiny, path + "/m.gguf", "--type", type, "--split-max-size", "120K", "-q",
      ])
      #expect(run.status == 0)
      let files = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
      try body(path, path + "/" + files[0], files)
    }
  }

  /// What the summary says under a name.
  private func fact(_ name: String, _ run: Run) -> String? {
    run.lines.first { $0.hasPrefix("  \(name) ") }.map {
      String($0.dropFirst(2 + name.count)).trimmingCharacters(in: .whitespaces)
    }
  }

  /// Replaces the metadata, and types (with blocks of zeros), of a file.
  private func rewrite(_ path: String, _ changes: [String: GGUFValue] = [:], types: [String: GGMLType] = [:]) throws {
    let original = try GGUFFile(URL(filePath: path))
    var metadata = GGUFMetadata()
    for (key, value) in original.header.metadata.pairs { _ = metadata.append(key, changes[key] ?? value) }
    let tensors = original.header.tensors
    let writer = try GGUFWriter(
      URL(filePath: path), metadata: metadata,
      tensors: tensors.map { .init($0.name, types[$0.name] ?? $0.type, $0.dimensions) })
    for tensor in tensors {
      if let type = types[tensor.name] {
        let size = (type.bytes(columns: tensor.columns) ?? 0) * tensor.rows
        try [UInt8](repeating: 0, count: size).withUnsafeBytes { try writer.write($0, to: tensor.name) }
      } else {
        try writer.write(original.bytes(of: tensor), to: tensor.name)
      }
    }
    try writer.finish()
  }

  @Test("The first part alone tells whether the model runs, and what is missing")
  func firstPart() throws {
    try withParts("Q8_0") { folder, first, files in
      let whole = try Run(["inspect", folder])
      #expect(whole.status == 0 && whole.errors == "")
      #expect(fact("quantised", whole) == "Q8_0")
      #expect(fact("runs", whole) == "yes; weights in q8_0+f32 as stored")
      #expect(fact("files", whole)?.hasPrefix("\(files.count) GGUF, ") == true)
      for file in files.dropFirst() { try FileManager.default.removeItem(atPath: folder + "/" + file) }
      let run = try Run(["inspect", first])
      #expect(run.status == 0 && run.errors == "")
      #expect(fact("files", run)?.hasPrefix("1 of \(files.count) GGUF, ") == true)
      #expect(fact("runs", run) == "yes, as far as the files that are here tell; weights in q8_0+f32 as stored")
      let missing = files.dropFirst().prefix(3).joined(separator: ", ")
      #expect(fact("missing", run)?.hasPrefix("\(files.count - 1) files: \(missing)") == true)
      #expect(fact("unknown", run)?.hasPrefix("types of 44 of 70 tensors, until ") == true)
      #expect(!run.lines.contains { $0.contains("fingerprint") })
      // The same facts for programs; the plan of a placement takes the layers that are not here for like the others.
      let json = try StrictJSON.parse(try Run(["inspect", first, "--json", "--placement-for", "2"]).output)
      let facts = try #require(json["checkpoint"]?["run"])
      #expect(facts["runs"]?.bool == true && facts["format"]?.string == "q8_0+f32 as stored")
      #expect(facts["missing_files"]?.array?.compactMap(\.string) == Array(files.dropFirst()))
      #expect(facts["tensors"]?.int == 70 && facts["unknown_tensors"]?.int == 44)
      #expect(json["checkpoint"]?["fingerprint"] == nil || json["checkpoint"]?["fingerprint"]?.isNull == true)
      let full = try withTemporaryPath { path in
        _ = try Run(["export", ExportTests.tiny, path, "--type", "Q8_0", "-q"])
        return try StrictJSON.parse(try Run(["inspect", path, "--json", "--placement-for", "2"]).output)
      }
      #expect(json["placement"]?["ranks"] == full["placement"]?["ranks"])
      // Nothing else takes an incomplete model.
      for command in [["trace", first, "--token-ids", "0", "--sha256", "-q"], ["export", first, folder + "/x"]] {
        let refused = try Run(command)
        #expect(refused.status == 2)
        #expect(refused.errors.contains("expected \(files.count) files, found \(files.count - 1) of them missing: "))
      }
    }
  }

  @Test("Types without a kernel need --requantize, and inspect says so with exit code 2")
  func requantize() throws {
    try withTemporaryPath { path in
      _ = try Run(["export", ExportTests.tiny, path, "--type", "Q8_0", "-q"])
      try rewrite(path, types: ["output.weight": .q5_1])
      let name = URL(filePath: path).lastPathComponent
      let refused = try Run(["inspect", path])
      #expect(refused.status == 2)
      #expect(refused.lines.first == "\(name): deepseek_v3, 481k parameters")
      #expect(
        refused.errors == """
          error: \(name): quantisation: expected types that a run format holds (F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q8_0, \
          Q4_K, Q6_K), found Q5_1
          hint: --requantize runs Q5_1 as q8_0; or name a format with --quant

          """)
      #expect(fact("runs", refused)?.hasPrefix("only with --requantize or another --quant; ") == true)
      let trace = ["trace", path, "--token-ids", "0,5", "--sha256", "-q"]
      #expect(try Run(trace).status == 2)
      #expect(try Run(trace + ["--quant", "q8_0"]).status == 0)
      #expect(try Run(trace + ["--requantize"]).status == 0)
      let told = try Run(["trace", path, "--token-ids", "0,5", "--sha256", "--requantize"])
      #expect(told.errors.contains("note: ") && told.errors.contains("Q5_1 requantised to q8_0 (1 matrix)"))
      let inspected = try Run(["inspect", path, "--requantize"])
      #expect(inspected.status == 0)
      #expect(inspected.lines.contains { $0.hasSuffix("Q5_1 requantised to q8_0 (1 matrix)") })
      let json = try StrictJSON.parse(try Run(["inspect", path, "--json"]).output)
      #expect(json["checkpoint"]?["run"]?["runs"]?.bool == false)
      #expect(json["checkpoint"]?["run"]?["inexact_types"]?.array?.compactMap(\.string) == ["Q5_1"])
    }
  }

  @Test("A tokenizer that is not known is told before anything is loaded")
  func tokenizer() throws {
    try withTemporaryPath { path in
      _ = try Run(["export", ExportTests.tiny, path, "--type", "Q8_0", "-q"])
      try rewrite(path, ["tokenizer.ggml.pre": .string("qwen2")])
      let run = try Run(["inspect", path])
      #expect(run.status == 2 && fact("runs", run) == "no")
      #expect(
        run.errors.contains("expected one of \"deepseek-coder\", \"deepseek-llm\", \"deepseek-v3\", found \"qwen2\""))
    }
  }

  @Test("A first part without tensors: the mix has a name")
  func emptyFirstPart() throws {
    try withParts("Q8_0") { folder, first, files in
      for file in files.dropFirst() { try FileManager.default.removeItem(atPath: folder + "/" + file) }
      let metadata = try GGUFFile(URL(filePath: first)).header.metadata
      for (number, status, format) in [(UInt32(2), Int32(0), "q4_1+f32 as stored"), (9, 2, "q8_0+f32 requantised")] {
        var changed = GGUFMetadata()
        for (key, value) in metadata.pairs {
          _ = changed.append(key, key == "general.file_type" ? .uint32(number) : value)
        }
        try GGUFWriter(URL(filePath: first), metadata: changed, tensors: []).finish()
        let run = try Run(["inspect", first])
        #expect(run.status == status && fact("runs", run)?.hasSuffix("weights in \(format)") == true)
        #expect(fact("unknown", run)?.hasPrefix("types of 70 of 70 tensors") == true)
      }
    }
  }

  @Test(
    "A first part without tensors that names no mix, or one of another time: nothing is known", arguments: [nil, 77])
  func nothingKnown(_ fileType: UInt32?) throws {
    try withParts("Q8_0") { folder, first, files in
      for file in files.dropFirst() { try FileManager.default.removeItem(atPath: folder + "/" + file) }
      var changed = GGUFMetadata()
      for (key, value) in try GGUFFile(URL(filePath: first)).header.metadata.pairs {
        if key != "general.file_type" {
          _ = changed.append(key, value)
        } else if let fileType {
          _ = changed.append(key, .uint32(fileType))
        }
      }
      try GGUFWriter(URL(filePath: first), metadata: changed, tensors: []).finish()
      let run = try Run(["inspect", first])
      #expect(run.status == 0 && fact("runs", run)?.hasPrefix("unknown until \(files[1]) is here: ") == true)
      #expect(!run.text.contains("weights in"))
      let json = try StrictJSON.parse(try Run(["inspect", first, "--json"]).output)
      #expect(json["checkpoint"]?["run"]?["runs"]?.isNull ?? true)
    }
  }

  @Test("What cannot run is known from the first part's metadata")
  func unreadable() throws {
    try withParts("Q8_0") { folder, first, files in
      for file in files.dropFirst() { try FileManager.default.removeItem(atPath: folder + "/" + file) }
      try rewrite(first, ["general.file_type": .uint32(19)])
      let run = try Run(["inspect", first])
      #expect(run.status == 2)
      #expect(fact("runs", run) == "no")
      #expect(run.errors.contains("quantisation: expected one whose types run, found IQ2_XXS\nhint: fetch another"))
    }
  }
}

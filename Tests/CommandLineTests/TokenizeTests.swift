import Foundation
import TestSupport
import Testing

@Suite("tokenize")
struct TokenizeTests {
  static let folder = Fixtures.url("tokenizer").filePath

  struct Cases: Decodable {
    struct Case: Decodable {
      let text: String
      let ids: [Int]
      let decoded_skip_special: String
    }
    let cases: [Case]
  }

  struct Chats: Decodable {
    struct Case: Decodable {
      let template: String
      let text: String
    }
    let cases: [Case]
  }

  static let cases = try! JSONDecoder().decode(Cases.self, from: Fixtures.data("tokenizer/tokenizer_cases.json")).cases

  /// Foundation's own writer, so that ours is not its own judge.
  private func json(_ value: some Encodable) throws -> [UInt8] { Array(try JSONEncoder().encode(value)) + [10] }

  /// Lines of JSON strings, as bytes: Swift's == would take other bytes for equal.
  private func strings(_ run: Run) throws -> [[UInt8]] {
    try run.lines.map { Array(try JSONDecoder().decode(String.self, from: Data($0.utf8)).utf8) }
  }

  @Test("All recorded texts, a JSON string a line to an array a line")
  func encode() throws {
    let run = try Run(["tokenize", Self.folder, "--jsonl"], input: Self.cases.flatMap { try json($0.text) })
    #expect(run.status == 0 && run.errors == "")
    #expect(run.lines == Self.cases.map { "[" + $0.ids.map(String.init).joined(separator: ",") + "]" })
  }

  @Test("All recorded ids back to text, with and without special tokens")
  func decode() throws {
    let input = try Self.cases.flatMap { try json($0.ids) }
    let all = try Run(["tokenize", Self.folder, "--decode", "--jsonl"], input: input)
    #expect(try strings(all) == Self.cases.map { Array($0.text.utf8) })
    let plain = try Run(["tokenize", Self.folder, "--decode", "--jsonl", "--skip-special"], input: input)
    #expect(try strings(plain) == Self.cases.map { Array($0.decoded_skip_special.utf8) })
  }

  @Test("All recorded conversations", arguments: ["r1", "pkg013"])
  func chat(_ template: String) throws {
    let file = try JSONSerialization.jsonObject(with: Fixtures.data("tokenizer/chat_cases.json")) as! [String: Any]
    let cases = (file["cases"] as! [[String: Any]]).filter { $0["template"] as? String == template }
    #expect(cases.count == 40)
    var input: [UInt8] = []
    for item in cases {
      let line = item.filter { ["messages", "add_generation_prompt"].contains($0.key) }
      input += Array(try JSONSerialization.data(withJSONObject: line)) + [10]
    }
    try withTemporaryPath { path in
      let folder = URL(filePath: path)
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      let configuration = template == "r1" ? "tokenizer_config.json" : "tokenizer_config.pkg013.json"
      for (name, target) in [("tokenizer.json", "tokenizer.json"), (configuration, "tokenizer_config.json")] {
        try FileManager.default.createSymbolicLink(
          at: folder.appending(path: target), withDestinationURL: Fixtures.url("tokenizer/" + name))
      }
      // The file itself finds its configuration beside it.
      for model in [path, path + "/tokenizer.json"] {
        let run = try Run(["tokenize", model, "--chat"], input: input)
        #expect(run.errors == "")
        #expect(try strings(run) == cases.map { Array(($0["text"] as! String).utf8) })
      }
    }
  }

  @Test(
    "Plain text is taken and given back byte for byte",
    arguments: ["", "Hello\n", "a\r\nb\u{0}\t é 日本 <think>", "\n\n"])
  func plain(_ text: String) throws {
    let ids = try Run(["tokenize", Self.folder], text: text)
    #expect(ids.lines.count == 1)
    let back = try Run(["tokenize", Self.folder, "--decode"], input: ids.output)
    #expect(back.output == Array(text.utf8))
  }

  @Test("Without a MODEL it is the built-in model's tokenizer")
  func builtIn() throws {
    let run = try Run(["tokenize"], text: "What is 478 + 256?")
    #expect(run.status == 0 && !run.output.isEmpty)
    #expect(try Run(["tokenize", "--decode"], input: run.output).text == "What is 478 + 256?")
    let missing = try Run(["tokenize"], environment: ["FLOTILLA_MODELS": "/nonexistent"])
    #expect(missing.status == 2)
    #expect(
      missing.errors == """
        error: built-in model: expected the folder Abacus beside the executable or in FLOTILLA_MODELS, found nothing \
        in /nonexistent
        hint: name a MODEL, or set FLOTILLA_MODELS to the folder that holds Abacus

        """)
  }

  @Test(
    "Bad input: exact errors, exit code 2",
    arguments: [
      (
        ["--jsonl"], "\"a\"\nnonsense\n",
        "standard input: line 2: expected a JSON string, which this is not: column 1: expected null"
      ),
      (
        ["--jsonl"], "\"a\"\n\n",
        "standard input: line 2: expected a JSON string, which this is not: column 1: expected a value, found the end"
      ),
      (["--jsonl"], "[1]\n", "standard input: line 1: expected a JSON string, found an array"),
      (
        ["--decode", "--jsonl"], "[1, -2]\n",
        "standard input: line 1: element 1: expected a token id from 0 to 128814, found -2"
      ),
      (
        ["--decode"], "1 2 three", "standard input: word 3: expected a token id from 0 to 128814, found \"three\""
      ),
      (
        ["--decode"], "1 128814 128815",
        "standard input: word 3: expected a token id from 0 to 128814, found \"128815\""
      ),
      (
        ["--decode", "--jsonl"], "[128815]\n",
        "standard input: line 1: element 0: expected a token id from 0 to 128814, found 128815"
      ),
      (["--chat"], "{}\n", "standard input: line 1: messages: expected an array of messages, found nothing"),
      (
        ["--chat"], "{\"messages\": [], \"add_generation_prompt\": 1}\n",
        "standard input: line 1: add_generation_prompt: expected true or false, found a number"
      ),
    ])
  func badInput(_ options: [String], _ input: String, _ error: String) throws {
    let run = try Run(["tokenize", Self.folder] + options, text: input)
    #expect(run.status == 2)
    #expect(run.errors.split(separator: "\n").first.map(String.init) == "error: " + error)
  }

  @Test("Input that is not UTF-8 is refused with the place of the byte")
  func notUTF8() throws {
    let run = try Run(["tokenize", Self.folder], input: Array("abc".utf8) + [0xC3, 0x28])
    #expect(run.status == 2)
    #expect(
      run.errors == """
        error: standard input: expected UTF-8, found byte 0xc3 at offset 3
        hint: Convert the text, for example with iconv -t UTF-8

        """)
  }

  @Test("Lines before a bad one are answered")
  func answersBeforeError() throws {
    let run = try Run(["tokenize", Self.folder, "--decode", "--jsonl"], text: "[19923]\n{}\n")
    #expect(run.lines == ["\"Hello\""])
    #expect(run.status == 2)
  }

  @Test("Every line is answered at once")
  func streams() throws {
    let process = ChildProgram()
    let (input, output) = (Pipe(), Pipe())
    process.executableURL = URL(filePath: try Job.executable("flotilla"))
    process.arguments = ["tokenize", "--jsonl"]
    (process.standardInput, process.standardOutput) = (input, output)
    try process.run()
    defer { process.terminate() }
    for _ in 0..<2 {
      try input.fileHandleForWriting.write(contentsOf: Data("\"1\"\n".utf8))
      let line = output.fileHandleForReading.availableData
      #expect(line.last == 10 && line.first == UInt8(ascii: "["))
    }
    try input.fileHandleForWriting.close()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
  }
}

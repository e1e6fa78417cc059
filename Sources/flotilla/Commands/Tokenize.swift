import ArgumentParser
import Checkpoint
import Foundation
import Inference
import Reporting
import StrictJSON
import Tokenization

struct Tokenize: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Turn text into token ids, ids into text, conversations into prompts.",
    discussion: """
      Reads standard input, writes standard output. The whole input is one text, taken byte for byte, a last line \
      feed included: use printf '%s' rather than echo. The ids come on one line, with spaces. --decode writes \
      exactly the text, without a line feed, so that tokenize | tokenize --decode changes nothing.

      With --jsonl and --chat every line is a case of its own, answered at once. Special tokens' texts count as \
      special tokens, and no BOS is added, as Hugging Face's tokenizers have it; generate is stricter.

      EXAMPLES
        printf 'Hello' | flotilla tokenize MODEL
        echo '"Hello"' | flotilla tokenize MODEL --jsonl
        echo 19923 | flotilla tokenize MODEL --decode
        echo '{"messages": [{"role": "user", "content": "Hello"}]}' |
          flotilla tokenize MODEL --chat
      """)

  @Argument(
    help: ArgumentHelp(
      "Folder with tokenizer.json, that file itself, or a GGUF file. Without one: the built-in model's.",
      valueName: "model"))
  var model: String?

  @Option(
    name: [.customShort("m"), .customLong("model")],
    help: ArgumentHelp("The same as MODEL.", valueName: "model"))
  var modelOption: String?

  @Flag(help: "One JSON value a line: a string in, an array of ids out; with --decode the other way round.")
  var jsonl = false

  @Flag(help: "Ids to text.")
  var decode = false

  @Flag(help: "With --decode: leave out special tokens.")
  var skipSpecial = false

  @Flag(
    help: """
      One {"messages": [...], "add_generation_prompt": true} a line in, the prompt as a JSON string out. "tools" and \
      further members go to the chat template.
      """)
  var chat = false

  func validate() throws {
    try ModelArgument.check(model, modelOption)
    if chat, decode { throw ValidationError("--chat and --decode exclude each other.") }
    if let path = model ?? modelOption, let absence = ModelArgument.absence(path) {
      throw ValidationError("\(absence).")
    }
    if let model, !BuiltInModel.isNamed(model), !FileManager.default.fileExists(atPath: model) {
      let text = printable(model, limit: 60)
      let quoted = text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''")
      throw ValidationError(
        "\"\(text)\" was read as MODEL, and there is no such file or folder. Text comes on standard input: "
          + "printf '%s' '\(quoted)' | flotilla tokenize")
    }
    if skipSpecial, !decode { throw ValidationError("--skip-special needs --decode.") }
  }

  func run() throws {
    guard ProcessRank.current.isFirst else { return }
    let tokenizer = try Self.tokenizer(try ModelArgument.url(model ?? modelOption))
    if chat {
      try eachLine { try render($1, line: $0, tokenizer) }
    } else if decode {
      try runDecode(tokenizer)
    } else if jsonl {
      try eachLine { JSONLines.array(tokenizer.encode(try string($1, line: $0))) }
    } else {
      let ids = tokenizer.encode(try StandardInput.readText())
      try StandardOutput.write(ids.map(String.init).joined(separator: " ") + "\n")
    }
  }

  /// A file is a tokenizer.json, with tokenizer_config.json beside it or not.
  static func tokenizer(_ url: URL) throws -> Tokenizer {
    var isFolder: ObjCBool = false
    let path = url.path(percentEncoded: false)
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw UsageError(
        "\(path): expected a folder with tokenizer.json or that file, found nothing", hint: "Check the path")
    }
    let manifest = url.appending(path: PreparedManifest.fileName).path(percentEncoded: false)
    if isFolder.boolValue, FileManager.default.fileExists(atPath: manifest) { return try ofCheckpoint(url) }
    if isFolder.boolValue {
      let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
      let isGGUF = !names.contains("tokenizer.json") && names.contains { $0.hasSuffix(".gguf") }
      if isGGUF { return try ofCheckpoint(url) }
      guard names.contains("tokenizer.json") else {
        throw UsageError(
          "\(path): expected a folder with tokenizer.json, found one without",
          hint: "Give the folder of a checkpoint with a tokenizer, tokenizer.json itself, or a GGUF file")
      }
      return try Tokenizer(folder: url)
    }
    if path.hasSuffix(".gguf") { return try ofCheckpoint(url) }
    let configuration = url.deletingLastPathComponent().appending(path: "tokenizer_config.json")
    let hasConfiguration = FileManager.default.fileExists(atPath: configuration.path(percentEncoded: false))
    return try Tokenizer(tokenizerFile: url, configFile: hasConfiguration ? configuration : nil)
  }

  private static func ofCheckpoint(_ url: URL) throws -> Tokenizer {
    guard let tokenizer = try Checkpoint.open(url, allowsMissingParts: true).tokenizer() else {
      throw UsageError(
        "\(url.lastPathComponent): expected a tokenizer, found none",
        hint: "Export a checkpoint that has a tokenizer.json")
    }
    return tokenizer
  }

  /// Answers every line with a line, at once: a program at the other end may wait for it.
  private func eachLine(_ answer: (Int, [UInt8]) throws -> [UInt8]) throws {
    try StandardInput.forEachLine { number, line in
      try StandardOutput.write(try answer(number, line) + [0x0A])
      try StandardOutput.flush()
    }
  }
}

// MARK: - Lines

extension Tokenize {
  private func runDecode(_ tokenizer: Tokenizer) throws {
    if jsonl {
      try eachLine { number, line in
        JSONLines.string(
          tokenizer.decode(try ids(line, line: number, tokenizer.vocabularySize), skipSpecial: skipSpecial))
      }
    } else {
      let ids = try Self.ids(text: try StandardInput.readAll(), tokenizer.vocabularySize)
      try StandardOutput.write(tokenizer.decode(ids, skipSpecial: skipSpecial))
    }
  }

  private func string(_ bytes: [UInt8], line: Int) throws -> String {
    let json = try parse(bytes, line: line, expected: "a JSON string")
    guard let text = json.string else { throw InputError(line: line, "expected a JSON string, found \(json.kind)") }
    return text
  }

  private func ids(_ bytes: [UInt8], line: Int, _ vocabulary: Int) throws -> [Int] {
    let json = try parse(bytes, line: line, expected: "a JSON array of token ids")
    guard let values = json.array else {
      throw InputError(line: line, "expected a JSON array of token ids, found \(json.kind)")
    }
    return try values.enumerated().map { index, value in
      guard let id = value.int, id >= 0, id < vocabulary else {
        throw InputError(
          line: line,
          "element \(index): expected a token id from 0 to \(vocabulary - 1), found \(value.number?.text ?? value.kind)"
        )
      }
      return id
    }
  }

  /// Ids between white space.
  private static func ids(text: [UInt8], _ vocabulary: Int) throws -> [Int] {
    try text.split(whereSeparator: { $0 == 0x20 || (0x09...0x0D).contains($0) }).enumerated().map { index, word in
      let text = String(decoding: word.prefix(40), as: UTF8.self)
      guard word.allSatisfy({ (48...57).contains($0) }), let id = Int(text), id < vocabulary, word.count <= 40 else {
        throw InputError(
          "standard input: word \(index + 1): expected a token id from 0 to \(vocabulary - 1), found \"\(text)\"",
          hint: "--jsonl reads JSON arrays")
      }
      return id
    }
  }

  private func render(_ bytes: [UInt8], line: Int, _ tokenizer: Tokenizer) throws -> [UInt8] {
    let json = try parse(bytes, line: line, expected: "a JSON object with \"messages\"")
    guard let object = json.object else {
      throw InputError(line: line, "expected a JSON object with \"messages\", found \(json.kind)")
    }
    guard let messages = object["messages"], messages.array != nil else {
      throw InputError(
        line: line, "messages: expected an array of messages, found \(object["messages"]?.kind ?? "nothing")")
    }
    let wanted = object["add_generation_prompt"] ?? .bool(false)
    guard let addGenerationPrompt = wanted.bool else {
      throw InputError(line: line, "add_generation_prompt: expected true or false, found \(wanted.kind)")
    }
    let known = ["messages", "add_generation_prompt", "tools"].map { JSONString($0) }
    let others = object.members.filter { !known.contains($0.key) }.map { ($0.key.text, $0.value) }
    let tools = object["tools"].flatMap { $0.isNull ? nil : $0 }
    let conversation = Conversation(
      messages: messages, addGenerationPrompt: addGenerationPrompt, tools: tools,
      variables: Dictionary(others, uniquingKeysWith: { first, _ in first }))
    do {
      return JSONLines.string(utf8: try tokenizer.render(conversation).flatMap { Array($0.text.utf8) })
    } catch let error as TokenizationError {
      throw InputError("standard input: line \(line): \(error)")
    }
  }

  private func parse(_ bytes: [UInt8], line: Int, expected: String) throws -> JSONValue {
    do {
      return try StrictJSON.parse(bytes)
    } catch {
      throw InputError(line: line, "expected \(expected), which this is not: column \(error.column): \(error.reason)")
    }
  }
}

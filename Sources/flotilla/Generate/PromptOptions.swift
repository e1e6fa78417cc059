import ArgumentParser
import Foundation
import Inference
import Tokenization

/// What to generate from.
struct PromptOptions: ParsableArguments {
  @Option(
    name: .shortAndLong, parsing: .unconditionalSingleValue,
    help: "A prompt, in quotes. Repeated: a batch of prompts, before those of --prompt-file.")
  var prompt: [String] = []

  @Option(
    name: [.customShort("f"), .customLong("prompt-file")],
    help: ArgumentHelp(
      "Read a prompt from a file (- is standard input), without its last line feed. May be repeated.",
      valueName: "file"))
  var promptFile: [String] = []

  @Option(parsing: .unconditional, help: "A system message before each prompt.")
  var system: String?

  @Flag(help: "No chat template: the prompt as it is, after the beginning-of-sentence token.")
  var raw = false

  /// Number of prompts.
  var count: Int { prompt.count + promptFile.count }

  func validate() throws {
    if raw, system != nil { throw ValidationError("--system needs the chat template: leave out --raw.") }
    guard promptFile.count(where: { $0 == "-" }) <= 1 else {
      throw ValidationError("--prompt-file -: standard input can be read once only.")
    }
  }

  /// Token ids of every prompt, those of `-p` first. On the coordinator's rank only.
  func encoded(by session: RunSession) throws -> [[Int]] {
    guard let tokenizer = session.tokenizer else {
      throw UsageError(
        "tokenizer: expected tokenizer.json in the model's folder, or one in the GGUF file, found none",
        hint: "flotilla trace takes token ids and needs no tokenizer")
    }
    return try texts().map { text in
      if raw { return tokenizer.encodeCompletion(text) }
      guard tokenizer.hasChatTemplate else {
        throw UsageError(
          "chat_template: expected in tokenizer_config.json, found none", hint: "give the prompt as it is with --raw")
      }
      let turns = (system.map { [("system", $0)] } ?? []) + [("user", text)]
      return tokenizer.encode(try tokenizer.render(Conversation(turns)))
    }
  }

  private func texts() throws -> [String] {
    try prompt
      + promptFile.map { path in
        let text = path == "-" ? try Self.standardInput() : try Self.contents(path)
        return text.utf8.last == 10 ? String(decoding: text.utf8.dropLast(), as: UTF8.self) : text
      }
  }

  /// Under mpirun only one rank has standard input; another would take its end for an empty prompt.
  private static func standardInput() throws -> String {
    let text = try StandardInput.readText()
    guard text.isEmpty else { return text }
    let rank = ProcessRank.current.rank
    throw InputError(
      "standard input: expected a prompt, found nothing",
      hint: rank == 0 ? nil : "mpirun gives it to rank 0 only: add --stdin \(rank), the coordinator's rank")
  }

  private static func contents(_ path: String) throws -> String {
    guard let data = FileManager.default.contents(atPath: path) else {
      var isFolder: ObjCBool = false
      let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
      let found = !exists ? "nothing" : isFolder.boolValue ? "a folder" : "one that cannot be read"
      throw UsageError("--prompt-file \(path): expected a readable file, found \(found)")
    }
    guard let text = String(validating: data, as: UTF8.self) else {
      throw UsageError("--prompt-file \(path): expected UTF-8, found other bytes")
    }
    return text
  }
}

import Foundation
import StrictJSON
import TestSupport
import Testing
import Tokenization

/// The pre-tokenizers of DeepSeek-V2 and of the first DeepSeek-Coder, against Hugging Face's `tokenizers`.
///
/// `Tests/Fixtures/tokenizer-v2/make.py 400 1` made the cases: random strings of digits, ideographs, kana, Hangul,
/// signs, line ends, emoji, combining marks and the borders of every listed range, with a vocabulary whose merges cross
/// all borders. The definitions are those that DeepSeek published; its own vocabulary was not at hand.
@Suite struct V2Tests {
  private static let names = ["deepseek-llm", "deepseek-coder"]

  private static func folder(_ name: String) -> URL { Fixtures.url("tokenizer-v2/\(name)") }

  private static func cases(_ key: String) throws -> [JSONValue] {
    try StrictJSON.parse(Fixtures.data("tokenizer-v2/cases.json"))[key]?.array ?? []
  }

  @Test("Every recorded text, by tokenizer.json and by a GGUF file's name", arguments: names)
  func everyRecordedText(_ name: String) throws {
    let tokenizer = try Tokenizer(folder: Self.folder(name))
    let tables = try TokenizerTables(folder: Self.folder(name), vocabularySize: tokenizer.vocabularySize + 3)
    #expect(tables.preTokenizer == name)
    let byName = try Tokenizer(tables, source: "x.gguf")
    let cases = try Self.cases("cases")
    #expect(cases.count >= 400)
    for item in cases {
      let text = try #require(item["text"]?.string)
      let ids = item.ids(name)
      #expect(tokenizer.encode(text) == ids, "\(item)")
      #expect(byName.encode(text) == ids, "\(item)")
      #expect(sameBytes(tokenizer.decode(ids), text), "\(item)")
    }
  }

  @Test("The cases tell the pre-tokenizers apart, from each other and from V3's")
  func sharp() throws {
    var tables = try TokenizerTables(folder: Self.folder("deepseek-llm"), vocabularySize: 2000)
    tables.preTokenizer = "deepseek-v3"
    let other = try Tokenizer(tables, source: "x.gguf")
    let cases = try Self.cases("cases")
    let apart = cases.filter { $0.ids("deepseek-llm") != $0.ids("deepseek-coder") }
    let fromV3 = cases.filter { other.encode($0["text"]?.string ?? "") != $0.ids("deepseek-llm") }
    #expect(apart.count * 4 > cases.count && fromV3.count * 4 > cases.count)
  }

  @Test("The chat template of the V2 models", arguments: names)
  func chats(_ name: String) throws {
    let tokenizer = try Tokenizer(folder: Self.folder(name))
    let (bos, eos) = (try #require(tokenizer.bosToken), try #require(tokenizer.eosToken))
    #expect(tokenizer.encodeCompletion("") == [bos])
    for item in try Self.cases("chats") {
      let spans = try tokenizer.render(
        Conversation(
          messages: try #require(item["messages"]), addGenerationPrompt: item["add_generation_prompt"]?.bool ?? true))
      #expect(sameBytes(spans.map(\.text).joined(), item["text"]?.string))
      let ids = tokenizer.encode(spans)
      let answers = item["messages"]?.array?.filter { $0["role"]?.string == "assistant" }.count ?? 0
      #expect(ids.first == bos && ids.filter { $0 == bos }.count == 1 && ids.filter { $0 == eos }.count == answers)
    }
  }

  @Test("A vocabulary may lack the bytes that no UTF-8 text holds, and no others")
  func missingBytes() throws {
    // The written forms of bytes 0xC0 and 0xF5 to 0xFF; `é` is that of 0xE9.
    let tokenizer = try Tokenizer(folder: Self.folder("deepseek-llm"))
    let text = "À\u{F5}ÿ\u{10FFFF}é"
    #expect(sameBytes(tokenizer.decode(tokenizer.encode(text)), text))
    let file = String(decoding: try Fixtures.data("tokenizer-v2/deepseek-llm/tokenizer.json"), as: UTF8.self)
    let damaged = file.replacing(#""é":"#, with: #""éé":"#)
    #expect { try Tokenizer(tokenizer: Data(damaged.utf8)) } throws: {
      "\($0)" == "tokenizer.json: model.vocab: byte 233, written \"é\", has no token"
    }
  }

  @Test(
    "Long runs take no quadratic time", arguments: [" ", "\n", "\u{3000}", "a", " a", "1", "中", "! ", "\t\u{85}x"])
  func longRuns(_ unit: String) throws {
    for name in Self.names {
      let tokenizer = try Tokenizer(folder: Self.folder(name))
      let text = String(repeating: unit, count: 300_000 / unit.utf8.count) + "1"
      let start = ContinuousClock.now
      let ids = tokenizer.encode(text)
      #expect(ContinuousClock.now - start < .seconds(2))
      #expect(sameBytes(tokenizer.decode(ids), text))
    }
  }
}

import Foundation
import StrictJSON
import TestSupport
import Testing
import Tokenization

@Suite struct TokenizerFileTests {
  /// A whole tokenizer of the bytes, two merges and two added tokens.
  private static let small = Result {
    let file = try StrictJSON.parse(Fixtures.data("tiny-f32/tokenizer.json"))
    let bytes = (file["model"]?["vocab"]?.object?.members ?? [])
      .filter { $0.key.text.unicodeScalars.count == 1 }
      .map { "\(quoted($0.key.text)):\($0.value.int ?? 0)" }
    let splits = (file["pre_tokenizer"]?["pretokenizers"]?.array ?? []).dropLast()
      .compactMap { $0["pattern"]?["Regex"]?.string }
      .map {
        #"{"type":"Split","pattern":{"Regex":\#(quoted($0))},"behavior":"Isolated","invert":false}"#
      }
    return #"""
      {"version":"1.0","truncation":null,"padding":null,"normalizer":null,
      "added_tokens":[{"id":0,"content":"<s>","special":true,"normalized":false,"lstrip":false},
      {"id":300,"content":"<t>","special":false,"normalized":true}],
      "pre_tokenizer":{"type":"Sequence","pretokenizers":[\#(splits.joined(separator: ",")),
      {"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}]},
      "post_processor":{"type":"ByteLevel"},"decoder":{"type":"ByteLevel"},
      "model":{"type":"BPE","dropout":null,"unk_token":null,"byte_fallback":false,
      "merges":["a b",["ab","c"]],"vocab":{"ab":301,"abc":302,\#(bytes.joined(separator: ","))}}}
      """#
  }

  private static func quoted(_ text: String) -> String {
    let escaped = text.unicodeScalars.map { scalar in
      switch scalar {
      case "\"", "\\": "\\\(scalar)"
      case "\n": "\\n"
      case "\r": "\\r"
      default: String(scalar)
      }
    }
    return "\"" + escaped.joined() + "\""
  }

  private func outcome(_ old: String, _ new: String, config: String? = nil) throws -> String {
    let text = try Self.small.get()
    try #require(old.isEmpty || text.contains(old))
    do {
      let json = old.isEmpty ? text : text.replacingOccurrences(of: old, with: new)
      let tokenizer = try Tokenizer(
        tokenizer: Data(json.utf8), configuration: config.map { Data($0.utf8) })
      return "\(tokenizer.encodeCompletion("ab<t>c abcab"))"
    } catch {
      return "\(error)"
    }
  }

  @Test func theSmallFileWorks() throws {
    #expect(try outcome("", "") == "[301, 300, 69, 223, 302, 301]")
    // Merges in both notations, patterns with escaped line ends, a hole in the ids.
    #expect(try outcome(#""a b",["ab","c"]"#, #"["a","b"],"ab c""#) == "[301, 300, 69, 223, 302, 301]")
    #expect(try outcome(#"[\r\n]*"#, #"[\\r\\n]*"#) == "[301, 300, 69, 223, 302, 301]")
    #expect(try outcome(#""content":"<t>""#, #""content":"b<t>c""#) == "[67, 300, 223, 302, 301]")
  }

  @Test(arguments: [
    (#""type":"BPE""#, #""type":"Unigram""#, #"model.type: expected "BPE", found "Unigram""#),
    (#""byte_fallback":false"#, #""byte_fallback":true"#, "model.byte_fallback: expected false, found true"),
    (#""dropout":null"#, #""dropout":0.1"#, "model.dropout: expected null, found 0.1"),
    (#""unk_token":null"#, #""unk_token":"?""#, #"model.unk_token: expected null, found "?""#),
    (
      #""normalizer":null"#, #""normalizer":{"type":"Sequence","normalizers":[{"type":"NFC"}]}"#,
      #"normalizer.normalizers[0]: expected no normalizer, found "NFC""#
    ),
    (
      #""normalizer":null"#, #""normalizer":{"type":"NFC"}"#,
      #"normalizer.type: expected "Sequence", found "NFC" (R1's tokenizer does not normalise)"#
    ),
    (
      #"\\p{N}{1,3}"#, #"\\d+"#,
      #"pre_tokenizer.pretokenizers[0].pattern.Regex: unknown pattern "\d+"; known are those of DeepSeek-R1, V3 and V2"#
    ),
    (
      #""use_regex":false"#, #""use_regex":true"#,
      "pre_tokenizer.pretokenizers[3].use_regex: expected false, found true"
    ),
    (
      #""behavior":"Isolated""#, #""behavior":"Removed""#,
      #"pre_tokenizer.pretokenizers[0].behavior: expected "Isolated", found "Removed""#
    ),
    (
      #""decoder":{"type":"ByteLevel"}"#, #""decoder":{"type":"Metaspace"}"#,
      #"decoder.type: expected "ByteLevel", found "Metaspace""#
    ),
    (
      #""post_processor":{"type":"ByteLevel"}"#, #""post_processor":{"type":"BertProcessing"}"#,
      #"post_processor.type: expected ByteLevel, TemplateProcessing or Sequence, found "BertProcessing""#
    ),
    (#""lstrip":false"#, #""lstrip":true"#, "added_tokens[0].lstrip: expected false, found true"),
    (#""content":"<s>""#, #""content":"""#, "added_tokens[0].content: expected 1 to 1024 bytes of text, found 0"),
    (#""content":"<t>""#, #""content":"<s>""#, #"added_tokens[1]: "<s>" is added twice"#),
    (#""content":"<t>""#, #""content":"ab""#, "added_tokens[1]: id 300 belongs to another entry"),
    (#""id":300"#, #""id":301"#, "added_tokens[1]: id 301 belongs to another entry"),
    (#""id":300"#, #""id":1000000000"#, "added_tokens[1].id: expected an id below 5136, found 1000000000"),
    (#""id":300"#, #""id":-1"#, "added_tokens[1].id: expected an id below 2147483647, found -1"),
    (#""ab":301"#, #""ab":1000000000"#, #"model.vocab: token "ab": expected an id below 5136, found 1000000000"#),
    (#""ab":301"#, #""ab":1.5"#, #"model.vocab: token "ab": expected an id below 5136, found 1.5"#),
    (#""ab":301"#, #""ab":302"#, #"model.vocab: token "abc": its id 302 has another token"#),
    (#""ab":301"#, #""abc":301"#, #"not valid JSON: line 8: duplicate key "abc""#),
    (#","Ġ":"#, #","ĠĠ":"#, #"model.vocab: byte 32, written "Ġ", has no token"#),
    (#""a b""#, #""ab""#, #"model.merges[0]: expected "a b" or ["a", "b"], found "ab""#),
    (#""a b""#, #""a b c""#, #"model.merges[0]: expected "a b" or ["a", "b"], found "a b c""#),
    (#"["ab","c"]"#, #"["ab","d"]"#, #"model.merges[1]: "abd" is not in the vocabulary"#),
    (#""merges":["a b",["ab","c"]]"#, #""merges":{}"#, "model.merges: expected an array, found an object"),
  ])
  func names(_ old: String, _ new: String, _ problem: String) throws {
    let found = try outcome(old, new).replacing(/, column \d+ \(byte \d+\)/, with: "")
    #expect(found == "tokenizer.json: " + problem)
  }

  @Test func specialTokensAroundACompletion() throws {
    let bos = #""bos_token":"<s>","eos_token":"<t>""#
    let llama = #""tokenizer_class":"LlamaTokenizerFast""#
    let plain = "301, 300, 69, 223, 302, 301"
    let outcome = { try self.outcome("", "", config: $0) }
    #expect(try outcome("{\(bos)}") == "[\(plain)]")
    #expect(try outcome("{\(bos),\(llama)}") == "[0, \(plain)]")
    #expect(try outcome("{\(bos),\(llama),\"add_bos_token\":false}") == "[\(plain)]")
    #expect(try outcome("{\(bos),\(llama),\"add_eos_token\":true}") == "[0, \(plain), 300]")
    #expect(try outcome("{\(llama)}") == "tokenizer_config.json: add_bos_token: true, but the token is not named")
    #expect(
      try outcome(#"{"bos_token":"<x>"}"#)
        == #"tokenizer_config.json: bos_token: "<x>" is not an added token of tokenizer.json"#)
    #expect(try outcome(#"{"bos_token":1}"#) == "tokenizer_config.json: bos_token: expected a string, found 1")
    let processed = #"""
      "post_processor":{"type":"Sequence","processors":[{"type":"ByteLevel"},{"type":"TemplateProcessing","single":
      [{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],
      "special_tokens":{"<s>":{"id":"<s>","ids":[0],"tokens":["<s>"]}}}]}
      """#
    #expect(try self.outcome(#""post_processor":{"type":"ByteLevel"}"#, processed) == "[0, \(plain)]")
  }

  @Test func templatesComeFromThreePlaces() throws {
    let data = Data(try Self.small.get().utf8)
    let chat = Conversation([("user", "x")])
    let named = #"{"chat_template":[{"name":"tool_use","template":"T"},{"name":"default","template":"D"}]}"#
    let byName = try Tokenizer(tokenizer: data, configuration: Data(named.utf8))
    #expect(try byName.render(chat) == [TextSpan("D", .template)])
    let byFile = try Tokenizer(tokenizer: data, configuration: Data(named.utf8), chatTemplate: Data("F".utf8))
    #expect(try byFile.render(chat) == [TextSpan("F", .template)])
    let none = try Tokenizer(tokenizer: data)
    #expect(!none.hasChatTemplate)
    #expect { try none.render(chat) } throws: { "\($0)".contains("this tokenizer has none") }
    // A template beyond us does not keep plain text from being encoded.
    let beyond = try Tokenizer(tokenizer: data, chatTemplate: Data("{% macro a() %}".utf8))
    #expect(beyond.encode("ab") == [301])
    #expect(throws: TokenizationError.self) { try beyond.render(chat) }
  }

  @Test func missingFilesAreNamed() {
    #expect { try Tokenizer(folder: Fixtures.url("no-such-model")) } throws: {
      "\($0)".hasSuffix("no-such-model/tokenizer.json: expected a readable file, found nothing")
    }
  }

  @Test func mutatedFilesNeverCrash() throws {
    let original = Array(try Self.small.get().utf8)
    let config = Data(#"{"bos_token":"<s>","chat_template":"{{ bos_token }}{{ messages[0].content }}"}"#.utf8)
    var mutator = Mutator(
      seed: 9,
      words: ["\"id\":", "\"vocab\":{", "\"merges\":[", "\"a b\",", "\"type\":\"", "\"Split\"", "301", "302", "<s>"])
    var accepted = 0
    for _ in 0..<fuzzCount(100_000) {
      let data = Data(mutator.mutated(original))
      guard let tokenizer = try? Tokenizer(tokenizer: data, configuration: config) else { continue }
      accepted += 1
      #expect(tokenizer.vocabularySize <= 5200)
      guard accepted % 32 == 0 else { continue }
      let ids = tokenizer.encode("abcab <s> 1234 é中文\r\n<t>")
      #expect(ids.allSatisfy { $0 < tokenizer.vocabularySize })
      _ = tokenizer.decode(ids)
    }
    #expect(accepted > 1000)
  }
}

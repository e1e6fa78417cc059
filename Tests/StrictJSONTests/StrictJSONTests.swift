import Foundation
import StrictJSON
import TestSupport
import Testing

@Suite struct StrictJSONTests {
  @Test func readsEveryKindInFileOrder() throws {
    let value = try StrictJSON.parse(
      #" {"b": [1, -2.5e3, true, false, null], "a": {"x": "\u00e9\n\ud83d\ude00"}, "": ""} "#)
    let object = try #require(value.object)
    #expect(object.members.map(\.key.text) == ["b", "a", ""])
    #expect(object["b"]?.array?.map(\.kind) == ["a number", "a number", "a boolean", "a boolean", "null"])
    #expect(object["b"]?.array?[0].int == 1)
    #expect(object["b"]?.array?[1].double == -2500)
    #expect(object["a"]?["x"]?.jsonString?.utf8 == Array("é\n😀".utf8))
    #expect(object[""]?.string == "")
    #expect(object["missing"] == nil)
  }

  @Test(arguments: [
    ("", 0, "expected a value, found the end"),
    (#"{"a":1,"a":2}"#, 7, "duplicate key \"a\""),
    (#"{"a":1,"\u0061":2}"#, 7, "duplicate key \"a\""),
    ("[1] 2", 4, "unexpected 2 after the document"),
    ("[1,]", 3, "expected a value, found ]"),
    (#"{"a":1,}"#, 7, "expected a key in double quotes, found }"),
    ("{a:1}", 1, "expected a key in double quotes, found a"),
    ("[01]", 1, "a number with a leading zero"),
    ("[-]", 2, "expected a digit, found ]"),
    ("[1.]", 3, "expected a digit, found ]"),
    ("[.5]", 1, "expected a value, found ."),
    ("[+1]", 1, "expected a value, found +"),
    ("[1e]", 3, "expected a digit, found ]"),
    ("NaN", 0, "expected a value, found N"),
    ("Infinity", 0, "expected a value, found I"),
    ("nul", 0, "expected null, found the end"),
    ("trux", 0, "expected true"),
    ("\"a\u{1}\"", 2, "a control character (1) in a string must be escaped"),
    (#""\ud800""#, 1, "a lone surrogate in a string"),
    (#""\ud800\u0041""#, 1, "a lone surrogate in a string"),
    (#""\udc00""#, 1, "a lone surrogate in a string"),
    (#""\x41""#, 1, "an unknown escape in a string"),
    (#""\u00g0""#, 1, "\\u needs four hexadecimal digits"),
    (#""abc"#, 4, "a string without end"),
    (#""abc\"#, 4, "a string without end"),
    ("\u{FEFF}1", 0, "expected a value, found byte 0xef"),
    ("// no\n1", 0, "expected a value, found /"),
  ])
  func refuses(_ text: String, _ offset: Int, _ reason: String) {
    #expect {
      try StrictJSON.parse(text)
    } throws: { error in
      let error = error as? JSONError
      return error?.offset == offset && error?.reason == reason
    }
  }

  @Test func errorsNameLineAndColumn() {
    #expect {
      try StrictJSON.parse("{\n  \"a\": 1,\n  \"b\": ?\n}")
    } throws: {
      "\($0)" == "line 3, column 8 (byte 19): expected a value, found ?"
    }
  }

  @Test(
    arguments: [
      [0x22, 0xFF, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xE0, 0x80, 0x80, 0x22],
      [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], [0x22, 0xE2, 0x82, 0x22],
      [0x22, 0xE2, 0x82], [0x22, 0x80, 0x22],
    ] as [[UInt8]])
  func refusesBadUTF8(_ bytes: [UInt8]) {
    #expect { try StrictJSON.parse(bytes) } throws: { ($0 as? JSONError)?.reason == "invalid UTF-8 in a string" }
    #expect(JSONString(utf8: Array(bytes.dropFirst())) == nil)
  }

  @Test func keysAreBytesNotCharacters() throws {
    // é composed and decomposed are one key for Swift's String, two for JSON.
    let object = try #require(try StrictJSON.parse("{\"\u{E9}\":1,\"e\u{301}\":2}").object)
    #expect(object["\u{E9}"]?.int == 1)
    #expect(object["e\u{301}"]?.int == 2)
    #expect(JSONString("\u{E9}") != JSONString("e\u{301}"))
  }

  @Test func integersAreExact() throws {
    let text = "[9223372036854775807,-9223372036854775808,9223372036854775808,1.0,1e3,-0]"
    let items = try #require(try StrictJSON.parse(text).array)
    #expect(items.map(\.int) == [.max, .min, nil, nil, nil, 0])
    #expect(items.map(\.number?.text).compactMap { $0 }.joined(separator: ",") == text.dropFirst().dropLast())
    #expect(items[4].double == 1000)
    #expect(try StrictJSON.parse("1e999").double == .infinity)
  }

  @Test func depthAndSizeAreBounded() throws {
    let deep = { String(repeating: "[", count: $0) + String(repeating: "]", count: $0) }
    #expect(throws: Never.self) { try StrictJSON.parse(deep(64)) }
    #expect { try StrictJSON.parse(deep(65)) } throws: {
      ($0 as? JSONError)?.reason == "nested deeper than 64 levels"
    }
    #expect(throws: JSONError.self) {
      try StrictJSON.parse(deep(1_000_000), limits: JSONLimits(maxDepth: .max))
    }
    #expect(throws: JSONError.self) { try StrictJSON.parse("[1]", limits: JSONLimits(maxBytes: 2)) }
  }

  @Test func largeObjectsAreIndexed() throws {
    let count = 128_000
    let text = "{" + (0..<count).map { "\"key\($0)\":\($0)" }.joined(separator: ",") + "}"
    let object = try #require(try StrictJSON.parse(text).object)
    let start = ContinuousClock.now
    #expect((0..<count).allSatisfy { object["key\($0)"]?.int == $0 })
    #expect(object["key\(count)"] == nil)
    #expect(ContinuousClock.now - start < .seconds(2))
    #expect {
      try StrictJSON.parse(text.dropLast() + ",\"key77\":0}")
    } throws: {
      ($0 as? JSONError)?.reason == "duplicate key \"key77\""
    }
  }

  @Test func readsARealTokenizerFast() throws {
    let data = try Fixtures.data("tokenizer/tokenizer.json")
    let start = ContinuousClock.now
    let value = try StrictJSON.parse(data)
    let elapsed = ContinuousClock.now - start
    #expect(value["model"]?["vocab"]?.object?.count == 128_000)
    #expect(value["model"]?["merges"]?.array?.count == 127_741)
    #expect(value["model"]?["vocab"]?["Ġthe"]?.int == 270)
    print("tokenizer.json, \(data.count) bytes: parsed in \(elapsed)")
    #expect(elapsed < .seconds(1))
  }

  @Test func mutatedDocumentsNeverCrash() throws {
    let seeds: [[UInt8]] = [
      #"{"a":[1,-2.5e3,true,false,null,{"b":"\u00e9\ud83d\ude00\n"}],"c":{},"d":[]}"#,
      #"{"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"__metadata__":{"format":"pt"}}"#,
      #"[["é","日本",""],0.125,-0,1E+2,"\\\"\/\b\f\n\r\t"]"#,
    ].map { Array($0.utf8) }
    var mutator = Mutator(seed: 1)
    var accepted = 0
    for round in 0..<fuzzCount(300_000) {
      let bytes = mutator.mutated(seeds[round % seeds.count])
      guard let value = try? withExactCopy(of: bytes, { try StrictJSON.parse($0) }) else { continue }
      accepted += 1
      // What is accepted is UTF-8, and white space around it changes nothing (sampled: slower than parsing).
      if accepted % 16 == 0 {
        #expect(String(validating: bytes, as: UTF8.self) != nil)
        #expect(try StrictJSON.parse([0x20, 0x0A] + bytes + [0x09, 0x0D]) == value)
      }
    }
    #expect(accepted > 1000)
  }
}

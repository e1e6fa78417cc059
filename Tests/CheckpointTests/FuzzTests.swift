import Checkpoint
import Foundation
import StrictJSON
import TestSupport
import Testing

@Suite struct FuzzTests {
  /// Damaged headers are refused or read, and never crash; what is read covers the data exactly.
  @Test func damagedHeaders() throws {
    let header =
      #"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"#
      + #""b":{"dtype":"BF16","shape":[0],"data_offsets":[24,24]},"c.weight":{"dtype":"F8_E4M3","shape":[],"#
      + #""data_offsets":[24,25]},"d":{"dtype":"I64","shape":[1,1],"data_offsets":[25,33]}}"#
    let words = ["F64", "BOOL", "\"shape\":[", "data_offsets", "__metadata__", "[0,0]", "4294967296", "[24,25]"]
    var mutator = Mutator(seed: 11, words: words)
    var accepted = 0
    for round in 0..<fuzzCount(100_000) {
      let json = mutator.mutated(Array(header.utf8))
      var bytes = withUnsafeBytes(of: UInt64(json.count).littleEndian, Array.init) + json
      bytes += [UInt8](repeating: 1, count: 33)
      // Every eighth time the length and the data are damaged too.
      if round % 8 == 0 { bytes = mutator.mutated(bytes) }
      guard let read = try? withExactCopy(of: bytes, { try SafetensorsHeader($0, file: "f") }) else { continue }
      accepted += 1
      var end = read.jsonRange.upperBound
      for tensor in read.tensors {
        #expect(tensor.byteRange.lowerBound == end)
        end = tensor.byteRange.upperBound
        #expect(tensor.shape.reduce(1, *) * tensor.type.bytes == tensor.byteRange.count)
      }
      #expect(end == bytes.count)
    }
    #expect(accepted > 50)
  }

  /// Damaged configurations are refused or possible.
  @Test func damagedConfigurations() throws {
    let words = [
      "yarn", "softmax", "\"n_group\": ", "128", "3.0", "1e308", "-0", "\"rope_parameters\":", "quantization_config",
    ]
    var mutator = Mutator(seed: 12, words: words)
    let originals = try ["tiny-fp8", "tiny-v2lite", "tiny-mtp"].map { Array(try Fixtures.data("\($0)/config.json")) }
    var accepted = 0
    for round in 0..<fuzzCount(100_000) {
      let bytes = mutator.mutated(originals[round % 3])
      guard let json = try? StrictJSON.parse(bytes),
        let model = try? ModelConfiguration(json: json, file: "config.json")
      else { continue }
      accepted += 1
      // Anything accepted can be counted without overflow.
      let inventory = ParameterInventory(model)
      #expect(inventory.activePerToken > 0 && inventory.activePerToken <= inventory.total * 2)
      #expect(model.expertsPerToken <= model.routedExperts && model.routedExperts % model.groups == 0)
    }
    #expect(accepted > 1000)
  }

  /// Damaged numbers in an otherwise whole configuration: the fields' bounds, not the parser, must hold.
  @Test func wildNumbers() throws {
    let text = String(decoding: try Fixtures.data("tiny-fp8/config.json"), as: UTF8.self)
    let numbers = ["0", "-1", "1", "3", "1048576", "1048577", "9223372036854775807", "1e999", "2.5", "null", "[]"]
    var random = SeededGenerator(seed: 13)
    let pieces = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    for _ in 0..<fuzzCount(20_000) {
      var changed = pieces
      for _ in 0...random.below(3) {
        let at = 1 + random.below(pieces.count - 1)
        let rest = changed[at].drop { $0 != "," && $0 != "\n" && $0 != "}" }
        changed[at] = " " + numbers[random.below(numbers.count)] + rest
      }
      guard let json = try? StrictJSON.parse(changed.joined(separator: ":")) else { continue }
      if let model = try? ModelConfiguration(json: json, file: "config.json") {
        #expect(ParameterInventory(model).total > 0)
      }
    }
  }

  @Test func damagedIndexes() throws {
    let folder = try TemporaryFolder(copyOf: Fixtures.url("tiny-mtp"))
    let name = "model.safetensors.index.json"
    let original = Array(try Data(contentsOf: folder[name]))
    var mutator = Mutator(seed: 14, words: ["../", "/etc/passwd", ".safetensors", "weight_map", "model-00001"])
    for _ in 0..<fuzzCount(300) {
      try Data(mutator.mutated(original)).write(to: folder[name])
      do { _ = try Checkpoint.open(folder.url) } catch { #expect(error is CheckpointError) }
    }
  }
}

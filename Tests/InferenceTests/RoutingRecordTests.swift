import Checkpoint
import DeepSeek
import Foundation
import Inference
import TestSupport
import Testing

@Suite("Routing records")
struct RoutingRecordTests {
  /// A record as the engine writes it: steps of several rows, cut in two parts as micro-batches are.
  private func made(
    _ configuration: ModelConfiguration = ModelConfiguration.Preset.tiny.configuration, rows: [Int] = [5, 1, 130]
  ) throws -> (bytes: [UInt8], experts: [UInt16]) {
    let path = FileManager.default.temporaryDirectory.appending(path: "routing-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let header = RoutingHeader(model: "a \"b\"", checkpoint: "00ff", isPhantom: false, configuration)
    let recorder = try RoutingRecorder(try RoutingOutput(path: path), header, mostRows: rows.max() ?? 1)
    var random = SeededGenerator(seed: 5)
    var all: [UInt16] = []
    for count in rows {
      let chosen = (0..<count).map { _ in
        configuration.moeLayers.map { _ in
          Array(
            (0..<UInt16(configuration.routedExperts)).shuffled(using: &random).prefix(configuration.expertsPerToken)
          )
          .sorted()
        }
      }
      for (index, layer) in configuration.moeLayers.enumerated() {
        for part in [0..<count / 2, count / 2..<count] {
          var routing = Routing(tokens: part.count, expertsPerToken: configuration.expertsPerToken)
          routing.experts = part.flatMap { chosen[$0][index] }
          recorder.routed(layer: layer, rows: part, routing)
        }
      }
      try recorder.stepDone(rows: count, decodeRows: 0)
      all += chosen.flatMap { $0.flatMap(\.self) }
    }
    return (Array(try Data(contentsOf: URL(filePath: path))), all)
  }

  @Test("There and back, in parts, with experts of one byte and of two")
  func roundTrip() throws {
    var large = ModelConfiguration.Preset.tiny.configuration
    large.routedExperts = 512
    for configuration in [ModelConfiguration.Preset.tiny.configuration, large] {
      let (bytes, experts) = try made(configuration)
      let record = try RoutingRecord(bytes, file: "r")
      #expect(record.experts == experts && !record.isCut)
      #expect(record.steps.map(\.tokens) == [0..<5, 5..<6, 6..<136])
      #expect(record.header.model == "a \"b\"" && record.header.layers == configuration.moeLayers)
    }
  }

  @Test("A file whose writer died gives its whole steps; damage before that is an error that names the step")
  func cut() throws {
    let (bytes, experts) = try made()
    let whole = try RoutingRecord(bytes, file: "r")
    let cut = try RoutingRecord(Array(bytes.dropLast()), file: "r")
    #expect(cut.isCut && cut.tokens == 6)
    #expect(Array(experts.prefix(cut.experts.count)) == cut.experts && whole.tokens == 136)
    var damaged = bytes
    damaged[bytes.firstIndex(of: 10)! + 12] ^= 1
    #expect(throws: RoutingRecordError.self) { try RoutingRecord(damaged, file: "r") }
  }

  @Test("A header that claims more than can be shown is refused, whatever comes behind it")
  func claims() {
    let layers = (0..<64).map(String.init).joined(separator: ",")
    let header =
      #"{"flotilla_routing":1,"model":"m","checkpoint":"0","phantom":false,"experts":65536,"groups":1,"#
      + #""experts_per_token":2,"layers":["# + layers + "]}\n"
    let error = #expect(throws: RoutingRecordError.self) { try RoutingRecord(Array(header.utf8), file: "r") }
    #expect(error?.description.contains("layers: expected at most 1048576 experts in all layers") == true)
  }

  @Test("Mutated files never crash a reader")
  func mutatedRecordsNeverCrash() throws {
    let (bytes, _) = try made(rows: [3, 1])
    var mutator = Mutator(seed: 11)
    for _ in 0..<fuzzCount(20_000) {
      _ = try? RoutingRecord(mutator.mutated(bytes), file: "r")
    }
  }
}

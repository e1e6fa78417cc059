import Checkpoint
import DeepSeek
import Foundation
import Inference
import Planning
import TestSupport
import Testing

@Suite("Cluster files with numbers of no machine")
struct ImpossibleNumberTests {
  private static let small = madeUpCluster([MadeUpNode(gibibytes: 4), MadeUpNode(cpu: "other", gibibytes: 4)])

  /// Where numbers stand in the text, strings left out.
  private static func numbers(_ text: [UInt8]) -> [Range<Int>] {
    var found: [Range<Int>] = []
    var isString = false
    var start: Int?
    for (index, byte) in text.enumerated() {
      let isNumber = !isString && (UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || "+-.eE".utf8.contains(byte))
      if isNumber, start != nil || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte {
        start = start ?? index
      } else if let first = start {
        found.append(first..<index)
        start = nil
      }
      if byte == UInt8(ascii: "\"") { isString.toggle() }
    }
    return found
  }

  @Test(
    "Each is refused with its field, or planned with",
    arguments: [
      "0", "-1", "1e-300", "1e-9", "1024", "65536", "4611686018427387904", "9223372036854775807", "1e300",
    ])
  func everyNumber(value: String) throws {
    let text = Array(try Self.small.json())
    let places = Self.numbers(text)
    #expect(places.count > 40)
    let model = costs(.bench3B)
    let sample = RoutingSample(model.configuration, tokens: 16)
    var refused = 0
    for place in places {
      let changed = Data(text[..<place.lowerBound] + value.utf8 + text[place.upperBound...])
      let cluster: ClusterDescription
      do {
        cluster = try .parse(changed, file: "c")
      } catch {
        #expect(error.file == "c" && !error.field.isEmpty)
        refused += 1
        continue
      }
      let search = PlanSearch(model, on: cluster, workload: Workload(prompt: 32, generated: 1), sample: sample)
      #expect(search.hasPlan == ((try? search.best()) != nil))
    }
    #expect(refused > 0)
  }
}

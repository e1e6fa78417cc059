import Checkpoint
import Foundation
import StrictJSON

/// The first line of a routing record, JSON.
///
/// | key | meaning |
/// |---|---|
/// | `flotilla_routing` | 1, the format |
/// | `model`, `checkpoint` | the folder's name; SHA-256 of configuration and headers |
/// | `phantom` | whether the gates were no model's |
/// | `experts`, `groups`, `experts_per_token` | of a layer |
/// | `layers` | numbers of the layers with routed experts, ascending |
public struct RoutingHeader: Sendable, Equatable {
  public static let format = 1

  public var model: String
  public var checkpoint: String
  public var isPhantom: Bool
  public var experts: Int
  public var groups: Int
  public var expertsPerToken: Int
  public var layers: [Int]

  public init(model: String, checkpoint: String, isPhantom: Bool, _ configuration: ModelConfiguration) {
    self.model = model
    self.checkpoint = checkpoint
    self.isPhantom = isPhantom
    experts = configuration.routedExperts
    groups = configuration.groups
    expertsPerToken = configuration.expertsPerToken
    layers = configuration.moeLayers
  }

  /// Bytes of an expert's number.
  var numberBytes: Int { experts <= 256 ? 1 : 2 }
  /// Bytes of what a token's layers say.
  var tokenBytes: Int { layers.count * expertsPerToken * numberBytes }

  /// The line, with its line feed.
  var line: [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let line = Line(
      flotilla_routing: Self.format, model: model, checkpoint: checkpoint, phantom: isPhantom, experts: experts,
      groups: groups, experts_per_token: expertsPerToken, layers: layers)
    // Plain strings and numbers: this cannot fail.
    return Array((try? encoder.encode(line)) ?? Data()) + [10]
  }

  /// Named as its keys are.
  private struct Line: Encodable {
    let flotilla_routing: Int
    let model: String
    let checkpoint: String
    let phantom: Bool
    let experts: Int
    let groups: Int
    let experts_per_token: Int
    let layers: [Int]
  }

  /// - Throws: ``RoutingRecordError`` naming the field.
  init(line: [UInt8], file: String) throws(RoutingRecordError) {
    let json: JSONValue
    do {
      json = try StrictJSON.parse(line, limits: JSONLimits(maxDepth: 2, maxBytes: Self.mostBytes))
    } catch {
      throw RoutingRecordError(file, "header", expected: "a routing record", found: "an error at \(error)")
    }
    func wrong(_ field: String, _ expected: String) -> RoutingRecordError {
      RoutingRecordError(file, field, expected: expected, found: json[field] == nil ? "nothing" : "something else")
    }
    func number(_ field: String, _ range: ClosedRange<Int>) throws(RoutingRecordError) -> Int {
      guard let value = json[field]?.int, range.contains(value) else {
        throw wrong(field, "a number from \(range.lowerBound) to \(range.upperBound)")
      }
      return value
    }
    func text(_ field: String) throws(RoutingRecordError) -> String {
      guard let value = json[field]?.string else { throw wrong(field, "a text") }
      return value
    }
    guard json["flotilla_routing"]?.int == Self.format else { throw wrong("flotilla_routing", "\(Self.format)") }
    (model, checkpoint) = (try text("model"), try text("checkpoint"))
    guard let phantom = json["phantom"]?.bool else { throw wrong("phantom", "true or false") }
    isPhantom = phantom
    experts = try number("experts", 1...65_536)
    groups = try number("groups", 1...experts)
    expertsPerToken = try number("experts_per_token", 1...min(experts, 64))
    let given = (json["layers"]?.array ?? []).map { $0.int ?? -1 }
    guard (1...4096).contains(given.count), given.first! >= 0, zip(given, given.dropFirst()).allSatisfy({ $0 < $1 })
    else { throw wrong("layers", "ascending numbers of layers") }
    layers = given
    // What is shown of a record has a place for each expert of each layer; R1 has 14,848.
    guard experts * layers.count <= Self.mostPairs else {
      throw RoutingRecordError(
        file, "layers", expected: "at most \(Self.mostPairs) experts in all layers", found: "\(experts * layers.count)")
    }
    guard experts % groups == 0 else { throw wrong("groups", "a number that divides \(experts)") }
  }

  static let mostBytes = 1 << 16
  private static let mostPairs = 1 << 20
}

/// What is wrong with a routing record.
public struct RoutingRecordError: Error, Sendable, Equatable, CustomStringConvertible {
  public let description: String
  /// The system refused: the same command may work later.
  public private(set) var isFailure = false

  /// - Parameters:
  ///   - action: what was to be done with the file.
  ///   - hint: what helps where the disk is not full.
  init(_ file: String, _ action: String, _ refusal: WriteRefusal, hint: String) {
    self.init(
      file, "routing record", expected: "to \(action)", found: refusal.found, hint: refusal.hint(else: hint))
    isFailure = !refusal.isOfPath
  }

  init(_ file: String, _ field: String, expected: String, found: String, hint: String = "") {
    description = "\(file): \(field): expected \(expected), found \(found)" + (hint.isEmpty ? "" : ". Hint: \(hint)")
  }

  static let origin = "flotilla generate --record-routing FILE writes one"
}

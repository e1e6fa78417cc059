import Checkpoint
import Foundation
import StrictJSON

/// The placement file:
///
/// ```json
/// {
///   "version": 1, "experts": 16, "ranks": 4, "coordinator": 0, "router": 1, "slices": "1-3",
///   "hosts": [
///     {"rank": 0, "experts": "0-3"},
///     {"rank": 2, "experts": "4-9,12"},
///     {"rank": 3, "experts": "10-11,13-15"}
///   ]
/// }
/// ```
///
/// Ranges are inclusive. The schema allows an expert at several hosts (replicas); this version refuses them. `"slices"`
/// may name ranks that compute rows of the dense part too, `""` for none; without it a run chooses.
extension Placement {
  private static let fileVersion = 1
  private static let mostFileBytes = 4 << 20

  /// Reads a placement file for a run of `ranks` ranks and a model of `experts` experts a layer.
  public static func load(_ file: URL, ranks: Int, experts: Int) throws(PlacementError) -> Placement {
    try parse(read(file), file: file.path(percentEncoded: false), ranks: ranks, experts: experts)
  }

  private static func read(_ file: URL) throws(PlacementError) -> Data {
    let path = file.path(percentEncoded: false)
    do {
      return try FileHandle(forReadingFrom: file).read(upToCount: mostFileBytes + 1) ?? Data()
    } catch {
      throw PlacementError(
        file: path, field: "file", expected: "a readable file",
        found: FileManager.default.fileExists(atPath: path) ? "one that cannot be read" : "nothing there",
        hint: "every rank reads it: it must lie on every host")
    }
  }

  /// The coordinator that a placement file names, before ranks and experts are known.
  public static func coordinator(inFile file: URL) throws(PlacementError) -> Int {
    let path = file.path(percentEncoded: false)
    let json = try json(of: read(file), file: path)
    guard let rank = json.object?["coordinator"]?.int, rank >= 0 else {
      throw PlacementError(
        file: path, field: "coordinator", expected: "the number of a rank", found: "something else",
        hint: "the rank that assembles every layer's output, 0 as a rule")
    }
    return rank
  }

  /// For how many ranks a placement file is.
  public static func ranks(of file: URL) throws(PlacementError) -> Int {
    let path = file.path(percentEncoded: false)
    return try ranks(in: json(of: read(file), file: path), file: path)
  }

  /// Reads a placement file for as many ranks as it says, and a model of `experts` experts a layer.
  public static func load(_ file: URL, experts: Int) throws(PlacementError) -> Placement {
    let path = file.path(percentEncoded: false)
    let json = try json(of: read(file), file: path)
    return try PlacementReader(file: path, ranks: ranks(in: json, file: path), experts: experts).read(json)
  }

  private static func ranks(in json: JSONValue, file path: String) throws(PlacementError) -> Int {
    guard let ranks = json.object?["ranks"]?.int, (1...mostRanks).contains(ranks) else {
      throw PlacementError(
        file: path, field: "ranks", expected: "a number from 1 to \(mostRanks)", found: "something else",
        hint: "how many ranks the job has")
    }
    return ranks
  }

  /// Reads the bytes of a placement file.
  public static func parse(
    _ data: Data, file: String, ranks: Int, experts: Int
  ) throws(PlacementError) -> Placement {
    let json = try json(of: data, file: file)
    return try PlacementReader(file: file, ranks: ranks, experts: experts).read(json)
  }

  private static func json(of data: Data, file: String) throws(PlacementError) -> JSONValue {
    do {
      return try StrictJSON.parse(data, limits: JSONLimits(maxDepth: 4, maxBytes: mostFileBytes))
    } catch {
      throw PlacementError(
        file: file, field: "JSON", expected: "a placement", found: "an error at \(error)",
        hint: "flotilla inspect MODEL --placement-for N --write-placement FILE writes a valid one")
    }
  }

  /// The placement file's text. Equal placements have equal texts.
  public var json: String {
    var lines = [
      "{",
      "  \"version\": \(Self.fileVersion), \"experts\": \(experts), \"ranks\": \(ranks), "
        + "\"coordinator\": \(coordinator), \"router\": \(router),"
        + (decidesSlices ? " \"slices\": \"\(ExpertRanges.text(slices))\"," : ""),
      "  \"hosts\": [",
    ]
    let held = hosts.map { "    {\"rank\": \($0), \"experts\": \"\(ExpertRanges.text(experts(of: $0)))\"}" }
    lines.append(held.joined(separator: ",\n"))
    return (lines + ["  ]", "}", ""]).joined(separator: "\n")
  }

  /// SHA-256 of ``json``, in hexadecimal: what ranks compare.
  public var hash: String { "\(Digest(of: Array(json.utf8)))" }

  fileprivate struct PlacementReader {
    let file: String
    /// What the run has.
    let ranks: Int
    let experts: Int

    func read(_ json: JSONValue) throws(PlacementError) -> Placement {
      let fields = try object(
        json, "placement", ["version", "experts", "ranks", "coordinator", "router", "slices", "hosts"])
      try equal(try int(fields, "version", 1...1 << 30), fileVersion, "version", "an older or newer flotilla")
      try equal(
        try int(fields, "experts", 1...mostExperts), experts, "experts", "the model decides; write a placement for it")
      try equal(
        try int(fields, "ranks", 1...mostRanks), ranks, "ranks",
        "the job has \(ranks): start as many as the file is for, or write another with flotilla inspect MODEL --placement-for \(ranks) --write-placement FILE"
      )
      let coordinator = try int(fields, "coordinator", 0...ranks - 1)
      let router = try int(fields, "router", 0...ranks - 1)
      guard let hosts = fields["hosts"]?.array else {
        throw wrong("hosts", "an array of {\"rank\", \"experts\"}", found(fields["hosts"]))
      }
      var owners = Array(repeating: -1, count: experts)
      var isHost = Array(repeating: false, count: ranks)
      for (index, host) in hosts.enumerated() {
        try read(host, "hosts[\(index)]", &owners, &isHost)
      }
      let missing = owners.indices.filter { owners[$0] < 0 }
      guard missing.isEmpty else {
        throw wrong(
          "hosts", "every expert from 0 to \(experts - 1) at a host",
          "none for expert\(missing.count == 1 ? "" : "s") \(ExpertRanges.text(missing, most: 8))")
      }
      let placement = try Placement(owners: owners, ranks: ranks, coordinator: coordinator, router: router)
      return try slices(fields, coordinator: coordinator).map { ranks throws(PlacementError) in
        try placement.dividing(among: ranks)
      } ?? placement
    }

    private func slices(_ fields: JSONObject, coordinator: Int) throws(PlacementError) -> [Int]? {
      guard let field = fields["slices"] else { return nil }
      guard let text = field.jsonString else {
        throw wrong("slices", "ranges of ranks such as \"1-3\"", found(field))
      }
      var slices: [Int] = []
      for range in try ranges(text.utf8, "slices", below: ranks, "ranks") {
        for rank in range {
          guard rank != coordinator, !slices.contains(rank) else {
            throw wrong("slices", "each rank once, without the coordinator", "\(rank)")
          }
          slices.append(rank)
        }
      }
      return slices
    }

    private func read(
      _ host: JSONValue, _ path: String, _ owners: inout [Int], _ isHost: inout [Bool]
    ) throws(PlacementError) {
      let fields = try object(host, path, ["rank", "experts"])
      let rank = try int(fields, "rank", 0...ranks - 1, path + ".")
      guard !isHost[rank] else {
        throw wrong("\(path).rank", "each rank once", "\(rank) again", hint: "one entry per rank, with all its ranges")
      }
      isHost[rank] = true
      guard let text = fields["experts"]?.jsonString else {
        throw wrong("\(path).experts", "ranges such as \"0-3,7\"", found(fields["experts"]))
      }
      for range in try ranges(text.utf8, "\(path).experts", below: experts, "experts") {
        for expert in range {
          guard owners[expert] < 0 else {
            throw wrong(
              "\(path).experts", "each expert at one host",
              "expert \(expert) " + (owners[expert] == rank ? "twice" : "also at rank \(owners[expert])"),
              hint: "several hosts for an expert (replicas) are not supported by this version")
          }
          owners[expert] = rank
        }
      }
    }

    private func ranges(
      _ text: [UInt8], _ path: String, below limit: Int, _ things: String
    ) throws(PlacementError) -> [ClosedRange<Int>] {
      if text.isEmpty { return [] }
      var ranges: [ClosedRange<Int>] = []
      for part in text.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
        let shown = String(decoding: part.prefix(40), as: UTF8.self)
        guard let range = ExpertRanges.parse(part) else {
          throw wrong(path, "a number or a range first-last, such as 0-3", "\"\(shown)\"")
        }
        guard range.first <= range.last else {
          throw wrong(path, "a range that ascends", "\"\(shown)\"", hint: "ranges are first-last")
        }
        guard range.last < limit else {
          throw wrong(path, "\(things) from 0 to \(limit - 1)", "\"\(shown)\"")
        }
        ranges.append(range.first...range.last)
      }
      return ranges
    }

    private func object(
      _ json: JSONValue, _ path: String, _ keys: [String]
    ) throws(PlacementError) -> JSONObject {
      guard let object = json.object else { throw wrong(path, "an object", found(json)) }
      for member in object.members where !keys.contains(where: { JSONString($0) == member.key }) {
        throw wrong(path, "the keys \(keys.joined(separator: ", "))", "\"\(member.key.text.prefix(40))\"")
      }
      return object
    }

    private func int(
      _ fields: JSONObject, _ key: String, _ range: ClosedRange<Int>, _ path: String = ""
    ) throws(PlacementError) -> Int {
      guard let value = fields[key]?.int, range.contains(value) else {
        throw wrong(
          path + key, "a number from \(range.lowerBound) to \(range.upperBound)", found(fields[key]))
      }
      return value
    }

    private func equal(
      _ found: Int, _ expected: Int, _ field: String, _ hint: String
    ) throws(PlacementError) {
      if found != expected { throw wrong(field, "\(expected)", "\(found)", hint: hint) }
    }

    private func found(_ value: JSONValue?) -> String {
      switch value {
      case nil: "nothing"
      case .number(let number): String(number.text.prefix(40))
      case let value?: value.kind
      }
    }

    private func wrong(_ field: String, _ expected: String, _ found: String, hint: String = "") -> PlacementError {
      PlacementError(file: file, field: field, expected: expected, found: found, hint: hint)
    }
  }
}

import Foundation
import StrictJSON

extension Calibration {
  /// Reads a calibration file, strictly: no unknown, missing or impossible field.
  ///
  /// - Throws: ``CalibrationError`` that names file and field.
  public static func load(_ url: URL) throws(CalibrationError) -> Calibration {
    let reader = Reader(file: url.path(percentEncoded: false))
    guard let data = try? Data(contentsOf: url) else {
      throw reader.wrong("file", "a calibration file", "nothing that can be read")
    }
    return try reader.read(data)
  }

  private struct Reader {
    let file: String
    private static let mostBytes = 64 << 20

    func read(_ data: Data) throws(CalibrationError) -> Calibration {
      let json: JSONValue
      do {
        json = try StrictJSON.parse(data, limits: JSONLimits(maxDepth: 8, maxBytes: Self.mostBytes))
      } catch {
        throw wrong("JSON", "a calibration", "an error at \(error)")
      }
      guard let schema = json["schema"]?.int else {
        throw wrong("schema", "\(currentSchema)", json["schema"]?.kind ?? "nothing")
      }
      guard schema == currentSchema else { throw wrong("schema", "\(currentSchema)", "\(schema)") }
      let calibration: Calibration
      do {
        calibration = try JSONDecoder().decode(Calibration.self, from: data)
      } catch let error as DecodingError {
        throw wrong(error)
      } catch {
        throw wrong("JSON", "a calibration", "\(error)")
      }
      try refuseUnknown(json, calibration)
      try verify(calibration)
      return calibration
    }

    /// A field that is not written back was not read either.
    private func refuseUnknown(_ json: JSONValue, _ calibration: Calibration) throws(CalibrationError) {
      guard let again = try? calibration.json(), let known = try? StrictJSON.parse(again),
        let path = Self.unknown(in: json, known, "")
      else { return }
      throw wrong(path, "no such field", "one")
    }

    private static func unknown(in value: JSONValue, _ known: JSONValue, _ path: String) -> String? {
      if let fields = value.object {
        for member in fields.members where !member.value.isNull {
          let inner = path.isEmpty ? member.key.text : path + "." + member.key.text
          guard let partner = known.object?[member.key] else { return inner }
          if let found = unknown(in: member.value, partner, inner) { return found }
        }
      }
      for (index, pair) in zip(value.array ?? [], known.array ?? []).enumerated() {
        if let found = unknown(in: pair.0, pair.1, "\(path)[\(index)]") { return found }
      }
      return nil
    }

    private func verify(_ calibration: Calibration) throws(CalibrationError) {
      guard !calibration.hosts.isEmpty else { throw wrong("hosts", "at least one", "none") }
      for (index, host) in calibration.hosts.enumerated() {
        let path = "hosts[\(index)]"
        try atLeastOne(host.machine.cores, path + ".machine.cores")
        try atLeastOne(host.bufferBytes, path + ".buffer_bytes")
        try verify(host.readBytesPerSecond, path + ".read_bytes_per_second")
        try verify(host.multiplyAddsF32PerSecond, path + ".multiply_adds_f32_per_second")
        try verify(host.multiplyAddsInt8PerSecond, path + ".multiply_adds_int8_per_second")
        guard let shared = host.readByAllRanks else { continue }
        try atLeastOne(shared.ranks, path + ".read_by_all_ranks.ranks")
        try atLeastOne(shared.threadsPerRank, path + ".read_by_all_ranks.threads_per_rank")
        try positive(shared.best, path + ".read_by_all_ranks.best")
        try positive(shared.median, path + ".read_by_all_ranks.median")
      }
      for (index, link) in calibration.links.enumerated() {
        for (size, speed) in link.messages.enumerated() {
          let path = "links[\(index)].messages[\(size)]"
          try positive(speed.p50Seconds, path + ".p50_seconds")
          try positive(speed.p99Seconds, path + ".p99_seconds")
          try positive(speed.bytesPerSecond, path + ".bytes_per_second")
        }
      }
    }

    private func verify(_ speeds: [ThreadSpeed], _ path: String) throws(CalibrationError) {
      guard !speeds.isEmpty else { throw wrong(path, "at least one speed", "none") }
      for (index, speed) in speeds.enumerated() {
        try atLeastOne(speed.threads, "\(path)[\(index)].threads")
        try positive(speed.best, "\(path)[\(index)].best")
        try positive(speed.median, "\(path)[\(index)].median")
      }
    }

    private func atLeastOne(_ value: Int, _ path: String) throws(CalibrationError) {
      if value < 1 { throw wrong(path, "at least 1", "\(value)") }
    }

    private func positive(_ value: Double, _ path: String) throws(CalibrationError) {
      if !(value > 0 && value.isFinite) { throw wrong(path, "a number above 0", "\(value)") }
    }

    private func wrong(_ error: DecodingError) -> CalibrationError {
      switch error {
      case .keyNotFound(let key, let context): wrong(path(context.codingPath + [key]), "a value", "nothing")
      case .valueNotFound(let type, let context): wrong(path(context.codingPath), Self.name(type), "null")
      case .typeMismatch(let type, let context): wrong(path(context.codingPath), Self.name(type), "something else")
      case .dataCorrupted(let context): wrong(path(context.codingPath), "a value that fits", context.debugDescription)
      @unknown default: wrong("JSON", "a calibration", "\(error)")
      }
    }

    private static func name(_ type: Any.Type) -> String {
      switch type {
      case is Int.Type, is Double.Type: "a number"
      case is String.Type: "a string"
      case is [Any].Type: "an array"
      default: "an object"
      }
    }

    private func path(_ keys: [any CodingKey]) -> String {
      let text = keys.reduce("") { path, key in
        if let index = key.intValue { return "\(path)[\(index)]" }
        return path.isEmpty ? key.stringValue : path + "." + key.stringValue
      }
      return text.isEmpty ? "JSON" : text
    }

    func wrong(_ field: String, _ expected: String, _ found: String) -> CalibrationError {
      CalibrationError(
        file: file, field: field, expected: expected, found: found,
        hint: "flotilla calibrate -o FILE writes a valid one")
    }
  }
}

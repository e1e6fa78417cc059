import Foundation

extension Calibration {
  /// Reads a calibration file, strictly: no unknown, missing or impossible field.
  ///
  /// - Throws: ``CalibrationError`` that names file and field.
  public static func load(_ url: URL) throws(CalibrationError) -> Calibration {
    let file = StrictFile<Calibration>(
      file: url.path(percentEncoded: false), what: "a calibration", version: ("schema", currentSchema),
      hint: "flotilla calibrate -o FILE writes a valid one", encode: { try $0.json() })
    let calibration = try file.load(url)
    try verify(calibration, file)
    return calibration
  }

  private static func verify(
    _ calibration: Calibration, _ file: StrictFile<Calibration>
  ) throws(CalibrationError) {
    guard !calibration.hosts.isEmpty else { throw file.wrong("hosts", "at least one", "none") }
    for (index, host) in calibration.hosts.enumerated() {
      let path = "hosts[\(index)]"
      try file.atLeastOne(host.machine.cores, path + ".machine.cores")
      try file.atLeastOne(host.bufferBytes, path + ".buffer_bytes")
      try file.verify(host.readBytesPerSecond, path + ".read_bytes_per_second")
      try file.verify(host.multiplyAddsF32PerSecond, path + ".multiply_adds_f32_per_second")
      try file.verify(host.multiplyAddsInt8PerSecond, path + ".multiply_adds_int8_per_second")
      try file.verify(host.products, path + ".products")
      try file.verify(host.costs, path + ".costs")
      guard let shared = host.readByAllRanks else { continue }
      try file.atLeastOne(shared.ranks, path + ".read_by_all_ranks.ranks")
      try file.atLeastOne(shared.threadsPerRank, path + ".read_by_all_ranks.threads_per_rank")
      try file.positive(shared.best, path + ".read_by_all_ranks.best")
      try file.positive(shared.median, path + ".read_by_all_ranks.median")
    }
    for (index, link) in calibration.links.enumerated() {
      for (size, speed) in link.messages.enumerated() {
        let path = "links[\(index)].messages[\(size)]"
        try file.positive(speed.p50Seconds, path + ".p50_seconds")
        try file.positive(speed.p99Seconds, path + ".p99_seconds")
        try file.positive(speed.bytesPerSecond, path + ".bytes_per_second")
      }
    }
  }
}

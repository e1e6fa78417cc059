import Foundation
import Inference
import Reporting
import Testing

@Suite("A calibration for people")
struct CalibrationReportTests {
  /// Best speeds by threads, in units of 10^9.
  private func host(read: [Int: Double], f32: [Int: Double], int8: [Int: Double]) throws -> Calibration.Host {
    func json(_ speeds: [Int: Double]) -> String {
      "["
        + speeds.sorted { $0.key < $1.key }
        .map { #"{"threads": \#($0.key), "best": \#($0.value * 1e9), "median": 1}"# }.joined(separator: ",") + "]"
    }
    let text = """
      {"name": "here", "ranks": [0], "machine": {"cpu": "a", "cores": 4, "kernel": "Linux"}, "instruction_set": "avx2",
      "buffer_bytes": 4096, "read_bytes_per_second": \(json(read)), "multiply_adds_f32_per_second": \(json(f32)),
      "multiply_adds_int8_per_second": \(json(int8))}
      """
    return try JSONDecoder().decode(Calibration.Host.self, from: Data(text.utf8))
  }

  private func warnings(_ host: Calibration.Host) -> [String] {
    CalibrationReport(Calibration(date: "today", flotilla: "1", hosts: [host], links: [])).warnings
  }

  @Test("More threads that are slower by more than a tenth are told, the largest loss of each work")
  func slower() throws {
    let busy = try host(read: [1: 30, 2: 26.9, 4: 20], f32: [1: 100, 2: 110, 4: 99], int8: [1: 405, 2: 340])
    #expect(
      busy.slowdowns.map { [$0.fewer.threads, $0.more.threads] } == [[1, 4], [1, 2]], "99 is a tenth less than 110")
    #expect(
      warnings(busy) == [
        "host here: 4 threads read slower than 1 (20.0 instead of 30.0 GB/s), 2 threads compute in int8 slower than 1 "
          + "(340 instead of 405 GMAC/s): something else runs here; calibrate again when nothing does"
      ])
  }

  @Test("Nothing is said of a memory that more threads do not read faster")
  func quiet() throws {
    #expect(warnings(try host(read: [1: 30, 2: 27.5], f32: [1: 100, 2: 200], int8: [1: 400])) == [])
  }
}

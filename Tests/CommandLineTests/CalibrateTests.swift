import Foundation
import Inference
import TestSupport
import Testing

@Suite("flotilla calibrate", .serialized)
struct CalibrateTests {
  static let quick = ["calibrate", "--buffer", "4", "-r", "2", "-t", "1"]

  @Test("The file that is kept is the JSON that is printed, and loads")
  func json() throws {
    try withTemporaryPath { path in
      let run = try Run(Self.quick + ["-o", path, "--json"])
      #expect(run.status == 0 && run.errors == "")
      #expect(try Data(contentsOf: URL(filePath: path)) == Data(run.output))
      let host = try Calibration.load(URL(filePath: path)).hosts[0]
      #expect(host.readBytesPerSecond.map(\.threads) == [1] && host.bufferBytes == 4 << 20)
    }
  }

  @Test("Text for people; the default place; --quiet says nothing")
  func text() throws {
    try withTemporaryPath { path in
      let run = try Run(["calibrate", "-r", "2", "-t", "1"], environment: ["XDG_CACHE_HOME": path])
      // A slow machine shows its progress.
      let notes = run.errors.split(separator: "\n").filter { !$0.hasPrefix("Measuring memory and arithmetic: ") }
      #expect(run.status == 0 && notes == [])
      #expect(run.lines[1].split(separator: " ").first == "Threads")
      let kept = try #require(run.lines.last)
      #expect(kept.hasPrefix("Kept in \(path)/flotilla/calibration-") && kept.hasSuffix(".json."))
      let quiet = try Run(Self.quick + ["-o", path + "/flotilla/x", "-q"])
      #expect(quiet.status == 0 && quiet.output == [] && quiet.errors == "")
    }
  }

  @Test("What may come from the cache is not what later benches are compared with")
  func cache() throws {
    try withTemporaryPath { path in
      let run = try Run(Self.quick, environment: ["XDG_CACHE_HOME": path])
      #expect(run.status == 0 && !run.text.contains("Kept in"))
      #expect(run.errors.hasPrefix("warning: not kept: host ") && run.errors.contains(" read 4.00 MiB instead of "))
      #expect(run.errors.hasSuffix("; -o FILE keeps it all the same\n"))
      #expect(!FileManager.default.fileExists(atPath: path))
    }
  }

  @Test(
    "A folder that is not there: known before anything is measured, exit code 2, and not made",
    arguments: [[], ["--hosts", "localhost"]])
  func unwritable(_ nodes: [String]) throws {
    try withTemporaryPath { folder in
      for (file, found) in [("/dev/null/x", "/dev/null to write to, found a file"), ("\(folder)/x", "found nothing")] {
        // A buffer that takes minutes.
        let run = try Run(["calibrate", "--buffer", "4096", "-r", "1000", "-o", file, "-q"] + nodes, limit: 60)
        #expect(run.status == 2 && run.errors.hasPrefix("error: --output \(file): expected a folder "))
        #expect(run.errors.contains(found), "\(run.errors)")
        #expect(run.errors.hasSuffix("hint: Name a file in a folder that exists and may be written to\n"))
      }
      #expect(!FileManager.default.fileExists(atPath: folder))
    }
  }
}

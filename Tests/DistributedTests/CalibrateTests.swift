import Foundation
import Inference
import TestSupport
import Testing

@Suite("Calibration of a job", .serialized)
struct CalibrateTests {
  @Test("Three ranks: one host, three links, all reading at once; the job ends cleanly")
  func ranks() throws {
    try withTemporaryFolder { folder in
      let file = folder.appending(path: "calibration.json")
      let job = try flotilla(
        ["calibrate", "--buffer", "8", "-r", "2", "-t", "1", "-o", file.filePath], ranks: 3)
      #expect(job.status == 0, "\(job.errors)")
      #expect(job.isClean && job.complaints.isEmpty)
      #expect(job.output.contains("Messages between ranks, half a round trip, p50 / p99:"))
      let calibration = try Calibration.load(file)
      #expect(calibration.hosts.map(\.ranks) == [[0, 1, 2]])
      #expect(calibration.hosts[0].readByAllRanks?.ranks == 3)
      #expect(calibration.links.map { [$0.from, $0.to] } == [[0, 1], [0, 2], [1, 2]])
      #expect(calibration.links.allSatisfy { $0.messages.count == 5 })
    }
  }

  @Test("Ctrl-C ends it with exit code 130 and leaves no file")
  func interrupted() throws {
    try withTemporaryFolder { folder in
      let file = folder.appending(path: "calibration.json")
      let start = ContinuousClock.now
      let job = try flotilla(["calibrate", "-r", "1000", "-o", file.filePath], ranks: nil) { job in
        guard ContinuousClock.now - start > .seconds(1) else { return false }
        kill(job.process, SIGINT)
        return true
      }
      #expect(job.status == 130, "\(job.errors)")
      #expect(!FileManager.default.fileExists(atPath: file.filePath))
    }
  }
}

import Foundation
import StrictJSON
import TestSupport
import Testing

@Suite("Bench on several ranks", .serialized)
struct BenchTests {
  @Test("A bench of three ranks counts the work of all of them: what one rank does")
  func bench() throws {
    let arguments = [
      "bench", "-p", "8", "-n", "4", "-r", "2", "--parallel", "1,2", "-d", "0,10", "-t", "1", "-q", "-o", "jsonl",
    ]
    let job = try flotilla(arguments, ranks: 3)
    #expect(job.status == 0 && job.isClean && job.complaints.isEmpty, "\(job.errors)")
    let (rows, alone) = (try job.output.map { try StrictJSON.parse($0) }, try flotilla(arguments, ranks: nil).output)
    #expect(rows.count == 6 && rows.allSatisfy { $0["n_ranks"]?.int == 3 && $0["n_threads"]?.int == 3 })
    for (row, line) in zip(rows, alone) {
      let one = try StrictJSON.parse(line)
      for key in ["test", "weight_bytes_per_token", "cache_bytes_per_token", "model_size"] {
        #expect(row[key] == one[key] && row[key] != nil, "\(key)")
      }
    }
  }

  @Test("Ctrl-C: a bench shows what is done and ends with exit code 130")
  func interrupted() throws {
    let job = try flotilla(
      ["bench", "-p", "0", "-n", "16", "-r", "10000", "-o", "json", "-q"],
      ranks: nil
    ) { job in
      guard !job.output.isEmpty else { return false }
      kill(job.process, SIGINT)
      return true
    }
    #expect(job.status == 130, "\(job.errors)")
    #expect(job.isClean && job.output.last == "]")
    #expect(try StrictJSON.parse(job.output.joined(separator: "\n")).array != nil)
  }
}

import Foundation
import Inference
import Reporting
import TestSupport
import Testing

@Suite("Numbers of records")
struct RecordBoundsTests {
  private typealias Change = @Sendable (inout RunRecord) -> Void

  private func read(_ record: RunRecord) throws -> RecordLines { try readRecords(try record.jsonLine() + [10]) }

  /// Each with the field that is named.
  private static let crafted: [(String, Change)] = [
    ("setup.threads.0", { $0.setup.threads = [1 << 62, 1 << 62] }),
    ("setup.threads.1", { $0.setup.threads = [1, -5] }),
    ("setup.context_size", { $0.setup.contextSize = .max }), ("setup.prefill_chunk", { $0.setup.prefillChunk = -1 }),
    ("tokens.prompt", { $0.tokens.prompt = 1 << 50 }), ("tokens.replayed", { $0.tokens.replayed = -1 }),
    ("tokens.in_prefill_steps", { $0.tokens.inPrefillSteps = .min }), ("load_seconds", { $0.loadSeconds = -1 }),
    ("seconds.decode", { $0.seconds.decode = 1e300 }), ("seconds.first_token.0", { $0.seconds.firstToken = [-1] }),
    ("phases.gate", { $0.phases["gate"] = -1e-9 }), ("rates.decode_tokens_per_second", { $0.rates.decode = -3 }),
    ("ranks.1.experts_held", { $0.ranks[1].expertsHeld = -1 }),
    ("ranks.2.experts_activated", { $0.ranks[2].expertsActivated = 9 }),
    ("ranks.0.expert_pairs_held", { $0.ranks[0].expertPairsHeld = .max }),
    ("ranks.0.messages_received", { $0.ranks[0].messagesReceived = .max }),
    ("ranks.0.bytes_sent_to.1", { $0.ranks[0].bytesSentTo = [0, 1 << 60, 0] }),
    ("ranks.0.busy_seconds", { $0.ranks[0].busySeconds = -0.5 }), ("ranks.0.busy_share", { $0.ranks[0].busyShare = 2 }),
    ("ranks.2.wait_seconds", { $0.ranks[2].waitSeconds = 1e10 }),
    ("model.experts_per_layer", { $0.model.expertsPerLayer = .max }),
    ("model.experts_per_token", { $0.model.expertsPerToken = 9 }),
    ("expert_load_imbalance", { $0.expertLoadImbalance = 1e9 }),
    ("parameters_per_token", { $0.parametersPerToken = -1 }),
  ]

  @Test("A number that none can be is named with line and field, what was expected and what was found")
  func named() throws {
    for (field, change) in Self.crafted {
      let lines = try read(madeUp(change))
      let problem = try #require(lines.leftOut.first, "\(field)")
      #expect(lines.records.isEmpty && problem.line == 1)
      #expect(problem.description.contains(": line 1: \(field): expected a number from 0 to "), "\(problem)")
      #expect(problem.description.contains(", found "), "\(problem)")
    }
  }

  @Test("Sums of as many ranks as there are do not overflow, however large each count may be")
  func sums() throws {
    let field = "ranks.0.resident_bytes"
    for count in [1, 3, 64, 300] {
      let record = madeUp(ranks: 3) { record in
        let last = record.ranks[2]
        record.ranks = (0..<count).map {
          var rank = last
          (rank.rank, rank.residentBytes) = ($0, 1 << 56)
          return rank
        }
        record.setup.threads = Array(repeating: 65_536, count: count)
      }
      let lines = try read(record)
      #expect(lines.records.isEmpty == (count > 64), "\(count)")
      for problem in lines.leftOut { #expect(problem.description.contains(field), "\(problem)") }
      let most = (1 << 62) / max(count, 64)
      let largest = try read(
        madeUp {
          $0.ranks = record.ranks
          for rank in $0.ranks.indices {
            ($0.ranks[rank].residentBytes, $0.ranks[rank].weightBytesRead) = (most, most)
            ($0.ranks[rank].parametersApplied, $0.ranks[rank].storageBytesRead) = (most, most)
            $0.ranks[rank].weightBytesReadInDecode = most
            $0.ranks[rank].bytesSentTo = Array(repeating: 1 << 50, count: count)
            $0.ranks[rank].messagesSentTo = Array(repeating: 1 << 50, count: count)
          }
        })
      #expect(largest.leftOut.isEmpty, "\(largest.leftOut)")
      #expect(!RunPage(largest.records).html.isEmpty && !RunPage(largest.records).text.isEmpty)
    }
  }

  @Test("A speed above all numbers of bytes is shown, beside a calibration")
  func roofline() throws {
    let calibration = Calibration(date: "today", flotilla: "1.2.3", hosts: [], links: [])
    for seconds in [1e-300, 1e-5, .leastNonzeroMagnitude] {
      let lines = try read(
        madeUp {
          ($0.ranks[0].busySeconds, $0.ranks[0].weightBytesRead) = (seconds, 1 << 56)
          $0.ranks[0].parametersApplied = 1 << 56
        })
      #expect(lines.leftOut.isEmpty)
      #expect(RunPage(lines.records, limits: calibration).text.contains("How close to the limit"))
    }
  }
}

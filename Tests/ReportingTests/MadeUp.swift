import DeepSeek
import ExpertParallel
import Foundation
import Inference
import Kernels
import Reporting

/// A run that never happened: `ranks` ranks, 12 tokens in, 4 out, on a model of 2 expert layers with 8 experts.
func madeUpSummary(ranks count: Int, hosts: Int = 1) -> RunSummary {
  var engine = EngineStatistics()
  engine.promptTokens = 12
  engine.generatedTokens = 4
  engine.steps = 4
  engine.prefillSeconds = 0.25
  engine.decodeSeconds = 0.75
  engine.tokensInPrefillSteps = 1
  engine.tokensInDecodeSteps = 3
  engine.firstTokenSeconds = [0.25]
  var phases = PhaseTimes()
  phases[.attention] = 0.4
  phases[.expertCompute] = 0.2
  phases[.wait] = 0.1
  phases[.head] = 0.05
  // 15 tokens x 2 layers x 2 experts.
  let rows = 60
  let ranks = (0..<count).map { rank in
    var found = RankStatistics(
      rank: rank, host: "node\(rank * hosts / count)",
      roles: rank == 0 ? ["coordinator", "experts"] : rank == 1 ? ["router", "experts"] : ["experts"])
    found.expertsHeld = 8 / count + (rank < 8 % count ? 1 : 0)
    found.expertsActivated = found.expertsHeld
    found.expertPairsActivated = found.expertsHeld
    found.expertRows = rows / count + (rank < rows % count ? 1 : 0)
    found.parametersApplied = 1_500_000 / count
    found.busySeconds = 0.5
    found.expertSeconds = 0.2
    found.traffic.bytesSent = count > 1 ? 1536 : 0
    found.traffic.messagesSent = count > 1 ? 20 : 0
    found.traffic.bytesReceived = count > 1 ? 1536 : 0
    found.traffic.messagesReceived = count > 1 ? 20 : 0
    found.residentBytes = 100 << 20
    return found
  }
  return RunSummary(
    model: "made-up", checkpoint: "c0ffee", formats: "bf16", cacheFormat: .f32,
    instructionSets: Array(repeating: "avx2", count: count),
    threads: Array(repeating: 2, count: count),
    limits: EngineLimits(contextSize: 256, prefillChunk: 64, maxSequences: 4), engine: engine, phases: phases,
    ranks: ranks, parametersInTotal: 400_000, tokensComputed: 15, loadSeconds: 1.5, expertLayers: 2,
    expertsPerLayer: 8, expertsPerToken: 2)
}

func record(_ summary: RunSummary) -> RunRecord {
  RunRecord(
    summary, version: "0.1.0", command: ["flotilla", "generate"], date: Date(timeIntervalSince1970: 1_700_000_000))
}

/// A record with what tells where bytes went, on as many hosts as ranks.
func madeUp(ranks: Int = 3, _ change: (inout RunRecord) -> Void = { _ in }) -> RunRecord {
  var record = record(madeUpSummary(ranks: ranks, hosts: ranks))
  for rank in 0..<ranks {
    record.ranks[rank].bytesSentTo = (0..<ranks).map { $0 == rank ? 0 : 1000 * (rank + 1) }
    record.ranks[rank].messagesSentTo = (0..<ranks).map { $0 == rank ? 0 : 7 }
    record.ranks[rank].weightBytesRead = 1_000_000
  }
  change(&record)
  return record
}

/// What a file of these bytes holds.
func readRecords(_ bytes: [UInt8]) throws -> RecordLines {
  let file = FileManager.default.temporaryDirectory.appending(path: "records-\(UUID().uuidString)")
  defer { try? FileManager.default.removeItem(at: file) }
  try Data(bytes).write(to: file)
  return try RecordLines([file.path(percentEncoded: false)])
}

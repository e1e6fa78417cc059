import DeepSeek
import ExpertParallel
import Foundation
import Inference
import Kernels

extension RunRecord {
  /// - Parameters:
  ///   - version: of flotilla.
  ///   - command: the command line.
  public init(_ summary: RunSummary, version: String, command: [String], date: Date = Date()) {
    let engine = summary.engine
    let steps = engine.prefillSeconds + engine.decodeSeconds
    phantom = summary.isPhantom ? true : nil
    self.date = Self.text(date)
    flotilla = version
    host = summary.ranks.first { $0.roles.contains("coordinator") }?.host ?? ""
    self.command = command
    model = Model(
      name: summary.model, checkpoint: summary.checkpoint, parameters: summary.parametersInTotal,
      weightBytes: summary.weightBytes, expertLayers: summary.expertLayers, expertsPerLayer: summary.expertsPerLayer,
      expertsPerToken: summary.expertsPerToken)
    setup = Setup(
      ranks: summary.ranks.count, threads: summary.threads, format: summary.formats,
      cacheFormat: summary.cacheFormat.rawValue, instructionSet: Self.instructionSets(summary),
      contextSize: summary.limits.contextSize,
      prefillChunk: summary.limits.prefillChunk, maxSequences: summary.limits.maxSequences,
      conversions: summary.conversions.isEmpty ? nil : summary.conversions)
    loadSeconds = finite(summary.loadSeconds)
    tokens = Tokens(
      prompt: engine.promptTokens, generated: engine.generatedTokens, computed: summary.tokensComputed,
      replayed: engine.replayedTokens > 0 ? engine.replayedTokens : nil,
      inPrefillSteps: engine.tokensInPrefillSteps, inDecodeSteps: engine.tokensInDecodeSteps,
      logits: engine.logitsHash)
    self.steps = engine.steps
    seconds = Seconds(
      prefill: finite(engine.prefillSeconds), decode: finite(engine.decodeSeconds),
      firstToken: engine.firstTokenSeconds.map(finite))
    rates = Rates(
      prefill: Format.perSecond(engine.promptTokens + engine.replayedTokens, engine.prefillSeconds),
      decode: Format.perSecond(engine.tokensInDecodeSteps, engine.decodeSeconds))
    phases = Dictionary(uniqueKeysWithValues: Phase.allCases.map { ($0.key, finite(summary.phases[$0])) })
    ranks = summary.ranks.map { Rank($0, phases: summary.phases, stepSeconds: steps) }
    if let end = StepEnd(summary.ranks) {
      for (index, pieces) in end.pieces.enumerated() { ranks[index].timeline = pieces }
    }
    if engine.weightBytesReadInDecode > 0, let own = ranks.firstIndex(where: { $0.roles.contains("coordinator") }) {
      ranks[own].weightBytesReadInDecode = engine.weightBytesReadInDecode
    }
    expertLoadImbalance = finite(summary.loadImbalance)
    parametersPerToken = summary.tokensComputed > 0 ? finite(summary.parametersPerToken) : nil
  }

  /// "avx2", or "avx2 on a, b; avx512 on c" where hosts differ.
  private static func instructionSets(_ summary: RunSummary) -> String {
    var hosts: [String: Set<String>] = [:]
    for (rank, set) in zip(summary.ranks, summary.instructionSets) { hosts[set, default: []].insert(rank.host) }
    guard hosts.count > 1 else { return hosts.keys.first ?? "" }
    return hosts.sorted { $0.key < $1.key }.map { "\($0.key) on \($0.value.sorted().joined(separator: ", "))" }
      .joined(separator: "; ")
  }

  private static func text(_ date: Date) -> String {
    date.formatted(.iso8601)
  }
}

extension RunRecord.Rank {
  init(_ found: RankStatistics, phases: PhaseTimes, stepSeconds: Double) {
    rank = found.rank
    host = found.host
    roles = found.roles
    expertsHeld = found.expertsHeld
    expertsActivated = found.expertsActivated
    expertPairsActivated = found.expertPairsActivated
    expertPairsHeld = found.expertPairsHeld
    expertRows = found.expertRows
    parametersApplied = found.parametersApplied
    // The roles do not count attention, head and the like: of the coordinator, all that is not waiting is work.
    let coordinator = found.roles.contains("coordinator") ? stepSeconds - phases[.wait] : 0
    busySeconds = finite(max(found.busySeconds, coordinator))
    busyShare = stepSeconds > 0 ? min(1, busySeconds / stepSeconds) : nil
    waitSeconds = finite(found.waitSeconds)
    expertSeconds = finite(found.expertSeconds)
    gateSeconds = finite(found.gateSeconds)
    dispatchSeconds = finite(found.dispatchSeconds)
    combineSeconds = finite(found.combineSeconds)
    bytesSent = found.traffic.bytesSent
    bytesReceived = found.traffic.bytesReceived
    messagesSent = found.traffic.messagesSent
    messagesReceived = found.traffic.messagesReceived
    residentBytes = found.residentBytes
    bytesSentTo = found.traffic.bytesSentTo.isEmpty ? nil : found.traffic.bytesSentTo
    messagesSentTo = found.traffic.messagesSentTo.isEmpty ? nil : found.traffic.messagesSentTo
    storageBytesRead = found.storageBytesRead
    weightBytesRead = found.weightBytesRead > 0 ? found.weightBytesRead : nil
  }

}

/// JSON has no words for infinities.
private func finite(_ value: Double) -> Double { value.isFinite ? value : 0 }

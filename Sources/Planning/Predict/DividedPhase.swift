import DeepSeek
import ExpertParallel

extension RunModel {
  /// Whether ranks divide a product of the dense part for so many rows.
  ///
  /// - Parameter besideExperts: whether these ranks may have experts to run meanwhile.
  func divides(rows: Int, besideExperts: Bool) -> Bool {
    guard !placement.slices.isEmpty else { return false }
    if rows <= SliceShare.mostTokensBesideExperts { return true }
    return !besideExperts && layout.hasSharesOnOneNode(placement)
  }

  /// All dense layers.
  func densePhase(rows: Int) -> Phase { phase(.dense, costs.dense, costs.divisibleDense, rows: rows) }
  func headPhase(rows: Int) -> Phase { phase(.head, costs.head, costs.divisibleHead, rows: rows) }

  /// A part of the model, some of whose products ranks may divide.
  private func phase(_ kind: Phase.Kind, _ whole: Work, _ divisible: DivisibleWork, rows: Int) -> Phase {
    let isDivided = divides(rows: rows, besideExperts: false)
    let own = isDivided ? whole - divisible.work : whole
    var phase = Phase(kind, own, rows: rows, coordinatorSpeed.duration(own, rows: rows, efficiency))
    if isDivided { phase.add(divided(kind, divisible, rows: rows), times: 1) }
    return phase
  }

  /// The slowest share, and messages to and fro: all ranks answer at once, through the coordinator's port.
  func divided(_ kind: Phase.Kind, _ part: DivisibleWork, rows: Int) -> Phase {
    let (work, time) = slowestShare(part, rows: rows)
    var phase = Phase(kind, work, rows: rows, time)
    let coordinator = placement.coordinator
    let count = Double(placement.slices.count)
    let share = 1 / (count + 1)
    let (input, output) = (part.inputBytes * Double(rows), part.outputBytes * Double(rows) * share)
    let questions = part.questions * Double((rows + SliceShare.mostTokens - 1) / SliceShare.mostTokens)
    let headers = questions * ModelCosts.headerBytes
    var farthest = 0.0
    for rank in placement.slices {
      let (there, back) = (input + headers, output + headers)
      let seconds =
        there / layout.bytesPerSecond(from: coordinator, to: rank)
        + back / layout.bytesPerSecond(from: rank, to: coordinator)
      if layout.shareNode(coordinator, rank) {
        phase.sharedMemorySeconds += seconds
      } else {
        phase.wireBytes += there + back
        phase.wireSeconds += seconds
      }
      farthest = max(
        farthest, layout.latency(from: coordinator, to: rank) + layout.latency(from: rank, to: coordinator))
    }
    phase.messages = 2 * questions
    // The coordinator writes and reads one for each rank, a rank one of each.
    phase.handlingSeconds = questions * (2 * count + 1) * efficiency.secondsPerMessage
    phase.latencySeconds = questions * farthest + phase.handlingSeconds
    phase.seconds += phase.sharedMemorySeconds + phase.wireSeconds + phase.latencySeconds
    return phase
  }

  /// Ranks of a node share its memory and cores.
  private func slowestShare(_ part: DivisibleWork, rows: Int) -> (Work, RooflineTime) {
    let ranks = [placement.coordinator] + placement.slices
    var share = part.work * (1 / Double(ranks.count))
    (share.jobs, share.singleJobs) = (part.work.jobs, part.work.singleJobs)
    var onNode = [Int](repeating: 0, count: layout.nodeSpeeds.count)
    for rank in ranks { onNode[layout.nodes[rank]] += 1 }
    var slowest = (share, RooflineTime())
    for rank in ranks {
      let node = layout.nodes[rank]
      var together = share * Double(onNode[node])
      (together.jobs, together.singleJobs) = (share.jobs, share.singleJobs)
      let candidates = [
        (share, layout.speeds[rank].duration(share, rows: rows, efficiency)),
        (together, layout.nodeSpeeds[node].duration(together, rows: rows, efficiency)),
      ]
      for candidate in candidates where candidate.1.seconds > slowest.1.seconds { slowest = candidate }
    }
    return slowest
  }
}

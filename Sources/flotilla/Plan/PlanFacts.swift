import Checkpoint
import ExpertParallel
import Inference
import Planning
import Reporting

/// A plan as JSON. Speeds and times are predicted.
struct PlanFacts: Encodable {
  struct Node: Encodable {
    let name: String
    let ranks: [Int]
    let experts: Int
    let expertBytes: Int
    let denseBytes: Int
    let gateBytes: Int
    let cacheBytes: Int
    let bufferBytes: Int
    let bytes: Int
    let mayTake: Int
  }

  struct Rank: Encodable {
    let rank: Int
    let node: String
    let threads: Int
    let roles: [String]
    let experts: String
  }

  struct Load: Encodable {
    let expertsOnBusiestHost: Double
    let hostsReached: Double
    let rowsBack: Double
  }

  struct Speed: Encodable {
    let sequences: Int
    let prefillTokensPerSecond: Double?
    let decodeTokensPerSecond: Double
    let decodeLimit: Limit
    let prefillLimit: Limit?
    let seconds: Double

    init(_ prediction: Prediction) {
      sequences = prediction.workload.sequences
      prefillTokensPerSecond = prediction.prefill?.tokensPerSecond
      decodeTokensPerSecond = prediction.decode.tokensPerSecond
      decodeLimit = prediction.decode.limit
      prefillLimit = prediction.prefill?.limit
      seconds = prediction.seconds
    }
  }

  struct Part: Encodable {
    let part: String
    let seconds: Double
    let memoryBytes: Double
    let readingSeconds: Double
    let multiplyAdds: Double
    let computingSeconds: Double
    let notOverlappingSeconds: Double
    /// Numbers that pass through steps between products.
    let elements: Double
    let elementSeconds: Double
    let overheadSeconds: Double
    let messages: Double
    let latencySeconds: Double
    let handlingSeconds: Double
    let wireBytes: Double
    let wireSeconds: Double
    let sharedMemorySeconds: Double
    let neighbourSeconds: Double
    let hiddenSeconds: Double

    init(_ phase: Phase) {
      part = phase.kind.rawValue
      seconds = phase.seconds
      memoryBytes = phase.memoryBytes
      readingSeconds = phase.readingSeconds
      multiplyAdds = phase.multiplyAdds
      computingSeconds = phase.computingSeconds
      notOverlappingSeconds = phase.unhiddenSeconds
      elements = phase.elements
      elementSeconds = phase.elementSeconds
      overheadSeconds = phase.overheadSeconds
      messages = phase.messages
      latencySeconds = phase.latencySeconds
      handlingSeconds = phase.handlingSeconds
      wireBytes = phase.wireBytes
      wireSeconds = phase.wireSeconds
      sharedMemorySeconds = phase.sharedMemorySeconds
      neighbourSeconds = phase.neighbourSeconds
      hiddenSeconds = phase.hiddenSeconds
    }
  }

  /// Who computes the dense part of generated tokens.
  struct Division: Encodable {
    /// Beside the coordinator.
    let ranks: String
    /// Of all that were tried; where one was asked for, none is.
    let isChosen: Bool
    /// Whether it is what came of what was asked for.
    let isAskedFor: Bool
    /// Beside as many experts on each rank.
    let fits: Bool
    let decodeTokensPerSecond: Double
  }

  struct Busy: Encodable {
    let part: String
    let busySeconds: Double
    let waitedForSeconds: Double
  }

  struct Gain: Encodable {
    let change: WhatIf.Change
    let predicted: Speed
  }

  struct Other: Encodable {
    let name: String
    let decodeTokensPerSecond: Double?
    let batchTokensPerSecond: Double?
    let prefillTokensPerSecond: Double?
  }

  let fits = true
  let isPredicted = true
  let model: String
  let format: String
  /// Where the choices of experts come from, in words.
  let experts: String
  let workload: Workload
  let nodes: [Node]
  let idleNodes: [String]
  /// Nodes whose processors' work for messages counts as nothing, since it was not calibrated.
  let omitsMessagesOf: [String]
  let ranks: [Rank]
  let coordinator: Int
  let router: Int
  /// Routing groups that a rank's experts come from.
  let spread: Int
  let load: Load
  let predicted: [Speed]
  /// Who was asked to divide the dense part; nil: the fastest was chosen.
  let denseSlices: DenseSlicing?
  /// The plan's first.
  let densePart: [Division]
  /// Of a decode step of all sequences.
  let decode: [Part]
  /// Of one prompt.
  let prefill: [Busy]
  let whatIf: [Gain]
  let comparison: [Other]
  let efficiency: Efficiency

  init(_ plan: Plan, name: String, routing: RoutingSource, whatIfs: [WhatIf], comparisons: [Comparison]) {
    let cluster = plan.cluster
    model = name
    format = plan.costs.formats.description
    (experts, workload) = (routing.description, plan.workload)
    nodes = plan.fits.map {
      Node(
        name: cluster.nodes[$0.node].name, ranks: $0.ranks, experts: $0.experts, expertBytes: $0.expertBytes,
        denseBytes: $0.denseBytes, gateBytes: $0.gateBytes, cacheBytes: $0.cacheBytes, bufferBytes: $0.bufferBytes,
        bytes: $0.bytes, mayTake: $0.capacity)
    }
    idleNodes = plan.idleNodes.map { cluster.nodes[$0].name }
    omitsMessagesOf = plan.layout.namesWithoutMessageCost
    ranks = plan.layout.nodes.enumerated().map { rank, node in
      Rank(
        rank: rank, node: cluster.nodes[node].name, threads: plan.layout.threads[rank],
        roles: plan.placement.roles(of: rank), experts: ExpertRanges.text(plan.placement.experts(of: rank)))
    }
    coordinator = plan.placement.coordinator
    denseSlices = plan.denseSlices
    densePart = ([plan.division] + plan.otherDivisions).enumerated().map { index, division in
      Division(
        ranks: ExpertRanges.text(division.placement.slices), isChosen: index == 0 && plan.denseSlices == nil,
        isAskedFor: index == 0 && plan.denseSlices != nil, fits: division.fits,
        decodeTokensPerSecond: division.prediction.decode.tokensPerSecond)
    }
    router = plan.placement.router
    spread = plan.spread
    load = Load(expertsOnBusiestHost: plan.load.busiest, hostsReached: plan.load.hosts, rowsBack: plan.load.sums)
    predicted = Set([1, plan.workload.sequences]).sorted().map { Speed(plan.prediction(sequences: $0)) }
    decode = plan.prediction.decode.phases.map(Part.init)
    let prompt = plan.prediction.prefill
    prefill = zip(prompt?.resources ?? [], prompt?.bound ?? []).map {
      Busy(part: $0.kind.rawValue, busySeconds: $0.seconds, waitedForSeconds: $1.seconds)
    }
    whatIf = whatIfs.map { Gain(change: $0.change, predicted: Speed($0.prediction)) }
    comparison = comparisons.map {
      Other(
        name: $0.name, decodeTokensPerSecond: $0.decode, batchTokensPerSecond: $0.batch,
        prefillTokensPerSecond: $0.prefill)
    }
    efficiency = Efficiency()
  }
}

extension RankLayout {
  var namesWithoutMessageCost: [String] { nodesWithoutMessageCost.map { cluster.nodes[$0].name } }
}

/// A shortage as JSON.
struct ShortageFacts: Encodable {
  struct Node: Encodable {
    let name: String
    let mayTake: Int
    let bytesWithoutExperts: Int
    /// Of these, shares of the dense part.
    let shareBytes: Int
    let experts: Int
    let missingExperts: Int
    let missingBytes: Int
  }

  let fits = false
  let model: String
  let format: String
  let nodes: [Node]
  let expertBytes: Int
  let neededBytes: Int
  let mayTake: Int
  let missingExperts: Int
  let missingOnCoordinator: Int
  let missingBytes: Int
  /// What the nodes may take and nothing can use: needed_bytes + left_bytes = may_take + missing_bytes.
  let leftBytes: Int
  /// Formats in which it would fit.
  let fittingFormats: [String]
  /// Who was asked to divide the dense part; nil: nobody was.
  let denseSlices: DenseSlicing?
  /// Whether it would fit if nobody had asked for that; nil: nobody has.
  let fitsUndivided: Bool?
  /// Where nothing but the coordinator's part is too large: the longest context, and the most sequences, that fit.
  let fittingContext: Int?
  let fittingSequences: Int?

  init(_ shortage: Shortage, on cluster: ClusterDescription, name: String, format: String, fitting: FittingWays) {
    model = name
    self.format = format
    nodes = shortage.nodes.map {
      Node(
        name: cluster.nodes[$0.node].name, mayTake: $0.capacity, bytesWithoutExperts: $0.fixedBytes,
        shareBytes: $0.shareBytes, experts: $0.experts, missingExperts: $0.missingExperts,
        missingBytes: $0.missingBytes)
    }
    expertBytes = shortage.expertBytes
    (neededBytes, mayTake) = (shortage.neededBytes, shortage.capacity)
    missingExperts = shortage.missingExperts
    missingOnCoordinator = shortage.missingOnCoordinator
    (missingBytes, leftBytes) = (shortage.missingBytes, shortage.leftBytes)
    fittingFormats = fitting.formats
    (denseSlices, fitsUndivided) = (shortage.denseSlices, fitting.isUndivided)
    (fittingContext, fittingSequences) = (fitting.context, fitting.sequences)
  }
}

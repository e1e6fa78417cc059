import DeepSeek
import ExpertParallel
import Kernels

/// One layer's routed experts: from the coordinator's rows to the sum that it adds, for one batch of tokens.
struct ExchangeModel {
  let costs: ModelCosts
  let placement: Placement
  let layout: RankLayout
  let efficiency: Efficiency

  /// When each rank has done its part, with the critical one's way in phases.
  ///
  /// - Parameter includesShared: whether the coordinator computes the shared experts meanwhile; else it has other work,
  ///   which is counted elsewhere, as are experts of its own.
  func time(_ loads: HostLoads, tokens: Int, includesShared: Bool) -> ExchangeTime {
    var exchange = ExchangeTime()
    // A generated token waits for each message anyway.
    if layout.countsMessages && !includesShared {
      exchange.carried = Array(repeating: CarriedMessages(), count: placement.ranks)
    }
    let (coordinator, router) = (placement.coordinator, placement.router)
    let gated = askRouter(tokens, &exchange)
    let sharedDone =
      (router == coordinator ? gated : 0) + (includesShared ? sharedTime(tokens).seconds : 0)
    var hosts = startTimes(loads, gated: gated, sharedDone: sharedDone, &exchange)
    if !includesShared { hosts.removeAll { $0.rank == coordinator } }
    finishTimes(&hosts, loads, shared: includesShared ? (router == coordinator ? gated : 0, tokens) : nil)
    takeBack(hosts, loads, gated: gated, sharedDone: sharedDone, &exchange)
    for host in hosts where host.rank != coordinator {
      let busy = busySeconds(host.rank, host.time, exchange)
      guard busy > exchange.busiestHost else { continue }
      (exchange.busiestHost, exchange.busiestHostCarries) = (busy, exchange.carryingSeconds(host.rank))
    }
    if includesShared { exchange.explainShared(Phase(.shared, costs.shared, rows: tokens, sharedTime(tokens))) }
    return exchange
  }

  func sharedTime(_ tokens: Int) -> RooflineTime {
    layout.speeds[placement.coordinator].duration(costs.shared, rows: tokens, efficiency)
  }

  /// Seconds of a rank's experts while its neighbours rest.
  func expertTime(_ loads: HostLoads, rank: Int) -> (work: Work, time: RooflineTime) {
    expertTime(loads, rank: rank, on: layout.speeds[rank])
  }

  /// `[nodes of the cluster]`: seconds of all experts of a node's ranks, on all it has.
  func nodeTimes(_ loads: HostLoads) -> [Double] {
    var times = [Double](repeating: 0, count: layout.nodeSpeeds.count)
    for rank in loads.reached {
      let node = layout.nodes[rank]
      times[node] += expertTime(loads, rank: rank, on: layout.nodeSpeeds[node]).time.seconds
    }
    return times
  }

  func expertTime(_ loads: HostLoads, rank: Int, on speed: RankSpeed) -> (work: Work, time: RooflineTime) {
    let pairs = Double(loads.pairs[rank])
    var work = Work(
      weights: costs.expert.weights * Double(loads.experts[rank]), multiplyAdds: costs.expert.multiplyAdds,
      jobs: pairs > 0 ? 2 : 0, tiledElements: costs.expert.tiledElements)
    let time = speed.duration(
      work, parts: loads.experts[rank], rowsByClass: loads.rowsByClass(rank), efficiency)
    work.multiplyAdds = work.multiplyAdds * pairs
    work.tiledElements = work.tiledElements * pairs
    return (work, time)
  }

  /// A host's experts, and what else its rank does for other ranks.
  func busySeconds(_ rank: Int, _ experts: RooflineTime, _ exchange: ExchangeTime) -> Double {
    experts.seconds + exchange.carryingSeconds(rank) + (rank == placement.router ? exchange.routerBusy : 0)
  }

  /// A message between nodes keeps both ranks from other work.
  private func carry(_ bytes: Double, from sender: Int, to receiver: Int, _ exchange: inout ExchangeTime) {
    guard !exchange.carried.isEmpty, !layout.shareNode(sender, receiver) else { return }
    exchange.carried[sender].send(bytes, layout.secondsToSend(bytes, by: sender))
    exchange.carried[receiver].receive(bytes, layout.secondsToReceive(bytes, by: receiver))
  }

  /// The rows go to the router, which scores them and chooses.
  private func askRouter(_ tokens: Int, _ exchange: inout ExchangeTime) -> Double {
    let (coordinator, router) = (placement.coordinator, placement.router)
    var way = Phase(.toRouter)
    if router != coordinator {
      way.messages = 1
      way.handlingSeconds = efficiency.secondsPerMessage
      way.latencySeconds = layout.latency(from: coordinator, to: router) + efficiency.secondsPerMessage
      let bytes = Double(tokens) * costs.rowBytes + ModelCosts.headerBytes
      let seconds = bytes / layout.bytesPerSecond(from: coordinator, to: router)
      if layout.shareNode(coordinator, router) {
        way.sharedMemorySeconds = seconds
      } else {
        (way.wireBytes, way.wireSeconds) = (bytes, seconds)
        exchange.portOutOfCoordinator = seconds
        carry(bytes, from: coordinator, to: router, &exchange)
      }
      way.seconds = way.latencySeconds + seconds
    }
    var gate = Phase(
      .gate, costs.gate, rows: tokens, layout.speeds[router].duration(costs.gate, rows: tokens, efficiency))
    let choosing = choosingSeconds(tokens, threads: layout.threads[router])
    gate.overheadSeconds += choosing
    gate.seconds += choosing
    exchange.toRouter = way
    exchange.gate = gate
    exchange.routerBusy = gate.seconds
    return way.seconds + gate.seconds
  }

  /// Of the top-k, in tiles of some tokens, each one thread's.
  private func choosingSeconds(_ tokens: Int, threads: Int) -> Double {
    let (experts, k) = (costs.configuration.routedExperts, costs.configuration.expertsPerToken)
    let tokensPerTile = Compute.rowsPerTile(cost: Gates.choosingCost(experts: experts, perToken: k))
    let tiles = (tokens + tokensPerTile - 1) / tokensPerTile
    return Double(tokens * experts) * efficiency.secondsPerScore / Double(max(1, min(threads, tiles)))
  }

  struct Host {
    let rank: Int
    /// When its rows are there, and when it begins.
    var arrival: Double
    var start: Double
    var time = RooflineTime()
    var work = Work()
    var finish = 0.0
    /// How its rows got there, behind those of other hosts.
    var way = Phase(.dispatch)
  }

  /// The router sends to one host after the other through one port.
  private func startTimes(
    _ loads: HostLoads, gated: Double, sharedDone: Double, _ exchange: inout ExchangeTime
  ) -> [Host] {
    let router = placement.router
    var (written, port, sent) = (0.0, 0.0, 0.0)
    var hosts: [Host] = []
    for rank in loads.reached {
      written += efficiency.secondsPerMessage
      guard rank != router else {
        hosts.append(Host(rank: rank, arrival: gated, start: gated))
        continue
      }
      var way = Phase(.dispatch)
      let bytes = Double(loads.tokens[rank]) * costs.dispatchBytes + ModelCosts.headerBytes
      let seconds = bytes / layout.bytesPerSecond(from: router, to: rank)
      (way.messages, way.handlingSeconds) = (1, written)
      way.latencySeconds = layout.latency(from: router, to: rank) + written
      if layout.shareNode(router, rank) {
        way.sharedMemorySeconds = seconds
      } else {
        port += seconds
        sent += bytes
        carry(bytes, from: router, to: rank, &exchange)
        (way.wireBytes, way.wireSeconds) = (sent, port)
      }
      way.seconds = way.latencySeconds + way.sharedMemorySeconds + way.wireSeconds
      let arrival = gated + way.seconds
      let start = rank == placement.coordinator ? max(arrival, sharedDone) : arrival
      hosts.append(Host(rank: rank, arrival: arrival, start: start, way: way))
    }
    for index in hosts.indices where hosts[index].rank == router {
      (hosts[index].arrival, hosts[index].start) = (gated + written, gated + written)
      (hosts[index].way.seconds, hosts[index].way.latencySeconds) = (written, written)
      hosts[index].way.handlingSeconds = written
      if router == placement.coordinator { hosts[index].start = max(hosts[index].start, sharedDone) }
    }
    (exchange.portOutOfRouter, exchange.bytesOutOfRouter) = (port, sent)
    exchange.routerBusy += written
    return hosts
  }

  /// Ranks of a node share its memory and cores: none is done before all of their work so far could be.
  ///
  /// - Parameter shared: when the coordinator begins with the shared experts, and for how many tokens; nil: it has other
  ///   work.
  private func finishTimes(_ hosts: inout [Host], _ loads: HostLoads, shared: (start: Double, tokens: Int)?) {
    for index in hosts.indices {
      (hosts[index].work, hosts[index].time) = expertTime(loads, rank: hosts[index].rank)
      hosts[index].finish = hosts[index].start + hosts[index].time.seconds
    }
    guard layout.hasNeighbours else { return }
    var begin = [Double](repeating: .infinity, count: layout.nodeSpeeds.count)
    var together = [Double](repeating: 0, count: layout.nodeSpeeds.count)
    for host in hosts {
      let node = layout.nodes[host.rank]
      together[node] += expertTime(loads, rank: host.rank, on: layout.nodeSpeeds[node]).time.seconds
      begin[node] = min(begin[node], host.start)
    }
    if let shared {
      let node = layout.nodes[placement.coordinator]
      // What of them is left when the first host of the node begins.
      let alone = sharedTime(shared.tokens).seconds
      let left = 1 - min(1, max(0, begin[node] - shared.start) / max(alone, .leastNormalMagnitude))
      let all = layout.nodeSpeeds[node].duration(costs.shared, rows: shared.tokens, efficiency).seconds
      together[node] += left * min(all, alone)
    }
    for index in hosts.indices {
      let node = layout.nodes[hosts[index].rank]
      hosts[index].finish = max(hosts[index].finish, begin[node] + together[node])
    }
  }

  /// Rows come back through the coordinator's port in the order in which they are ready.
  private func takeBack(
    _ hosts: [Host], _ loads: HostLoads, gated: Double, sharedDone: Double, _ exchange: inout ExchangeTime
  ) {
    let coordinator = placement.coordinator
    let order = hosts.indices.map { place in
      let host = hosts[place]
      let latency = host.rank == coordinator ? 0 : layout.latency(from: host.rank, to: coordinator)
      return Arrival(host: place, rank: host.rank, ready: host.finish + latency)
    }.sorted { ($0.ready, $0.rank) < ($1.ready, $1.rank) }
    var (port, bytes, sums) = (0.0, 0.0, 0)
    var last: Arrival?
    for var arrival in order {
      let rank = arrival.rank
      let size = Double(loads.sums[rank]) * (costs.rowBytes + 8) + ModelCosts.headerBytes
      sums += loads.sums[rank]
      if rank != coordinator {
        let seconds = size / layout.bytesPerSecond(from: rank, to: coordinator)
        if layout.shareNode(rank, coordinator) {
          arrival.sharedMemory = seconds
        } else {
          port = max(port, arrival.ready) + seconds
          bytes += size
          exchange.portIntoCoordinator += seconds
          carry(size, from: rank, to: coordinator, &exchange)
          arrival.wire = port - arrival.ready
        }
      }
      if arrival.seconds >= last?.seconds ?? 0 { last = arrival }
    }
    let speed = layout.speeds[coordinator].read * efficiency.memory
    var adding = Phase(.combine, Work(otherBytes: Double(sums) * costs.rowBytes * 2), rows: 0, RooflineTime())
    (adding.readingSeconds, adding.longerSeconds) = (adding.memoryBytes / speed, adding.memoryBytes / speed)
    adding.handlingSeconds = hosts.isEmpty ? 0 : efficiency.secondsPerMessage
    adding.seconds = adding.readingSeconds + adding.handlingSeconds
    adding.latencySeconds = adding.handlingSeconds
    exchange.addingPhase = adding
    exchange.total = max(last?.seconds ?? gated, sharedDone) + adding.seconds
    guard let last else { return }
    exchange.combine = adding
    exchange.combine.messages = last.rank == coordinator ? 0 : 1
    exchange.combine.latencySeconds += last.ready - hosts[last.host].finish
    (exchange.combine.wireBytes, exchange.combine.wireSeconds) = (bytes, exchange.portIntoCoordinator)
    exchange.combine.sharedMemorySeconds = last.sharedMemory
    // All rows pass the port, most of them while the last host computes.
    exchange.combine.hiddenSeconds = max(0, exchange.portIntoCoordinator - last.wire)
    exchange.explain(hosts[last.host], last: last.seconds, sharedDone: sharedDone, adding: adding.seconds)
  }

  /// When a host's rows are on the coordinator.
  private struct Arrival {
    /// A place in the list of hosts, and its rank.
    let host: Int
    let rank: Int
    /// At the coordinator's port.
    let ready: Double
    /// From there on: through it, behind others' rows, or in shared memory.
    var wire = 0.0
    var sharedMemory = 0.0

    var seconds: Double { ready + wire + sharedMemory }
  }
}

/// Messages of a rank, and what they take from its processors beside the wire.
struct CarriedMessages {
  private(set) var sentBytes = 0.0
  private(set) var sendingSeconds = 0.0
  private(set) var receivedBytes = 0.0
  private(set) var receivingSeconds = 0.0

  var seconds: Double { sendingSeconds + receivingSeconds }

  mutating func send(_ bytes: Double, _ seconds: Double) {
    sentBytes += bytes
    sendingSeconds += seconds
  }

  mutating func receive(_ bytes: Double, _ seconds: Double) {
    receivedBytes += bytes
    receivingSeconds += seconds
  }
}

/// What an exchange takes, in phases that add up to its total, and what it occupies.
struct ExchangeTime {
  var toRouter = Phase(.toRouter)
  var gate = Phase(.gate)
  var dispatch = Phase(.dispatch)
  var experts = Phase(.experts)
  var combine = Phase(.combine)
  var shared = Phase(.shared)
  var total = 0.0
  /// Seconds in which a rank or a port of the network is taken.
  var routerBusy = 0.0
  var busiestHost = 0.0
  /// Of it: for messages.
  var busiestHostCarries = 0.0
  var portOutOfCoordinator = 0.0
  var portOutOfRouter = 0.0
  var bytesOutOfRouter = 0.0
  var portIntoCoordinator = 0.0
  /// `[ranks]`: what each sends to other nodes and gets from there, and for how long that keeps it from other work;
  /// empty where that is not counted.
  var carried: [CarriedMessages] = []
  /// Rows that have come back; on the coordinator.
  var addingPhase = Phase(.combine)
  var adding: Double { addingPhase.seconds }

  func carryingSeconds(_ rank: Int) -> Double { carried.isEmpty ? 0 : carried[rank].seconds }

  var phases: [Phase] { [toRouter, gate, dispatch, experts, combine, shared] }

  /// The way of the host that the layer waits for.
  fileprivate mutating func explain(_ host: ExchangeModel.Host, last: Double, sharedDone: Double, adding: Double) {
    dispatch = host.way
    experts = Phase(.experts, host.work, rows: 1, host.time)
    experts.seconds = host.finish - host.start
    experts.neighbourSeconds = max(0, experts.seconds - host.time.seconds)
    combine.seconds = last - host.finish + adding
    // On the coordinator's rank its own experts come behind the shared ones.
    shared.seconds = host.start - host.arrival + max(0, sharedDone - last)
  }

  /// - Parameter whole: without anything to hide it.
  fileprivate mutating func explainShared(_ whole: Phase) {
    let seconds = shared.seconds
    shared = whole
    shared.seconds = seconds
    shared.hiddenSeconds = max(0, whole.seconds - seconds)
  }
}

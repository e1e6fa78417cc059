import ExpertParallel

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
    let (coordinator, router) = (placement.coordinator, placement.router)
    let gated = askRouter(tokens, &exchange)
    let sharedDone =
      (router == coordinator ? gated : 0) + (includesShared ? sharedTime(tokens).seconds : 0)
    var hosts = startTimes(loads, gated: gated, sharedDone: sharedDone, &exchange)
    if !includesShared { hosts.removeAll { $0.rank == coordinator } }
    finishTimes(&hosts, loads, tokens: tokens, includesShared: includesShared)
    exchange.busiestHost = hosts.filter { $0.rank != coordinator }.map(\.time.seconds).max() ?? 0
    takeBack(hosts, loads, gated: gated, sharedDone: sharedDone, &exchange)
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
    for (rank, node) in layout.nodes.enumerated() where loads.tokens[rank] > 0 {
      times[node] += expertTime(loads, rank: rank, on: layout.nodeSpeeds[node]).time.seconds
    }
    return times
  }

  private func expertTime(_ loads: HostLoads, rank: Int, on speed: RankSpeed) -> (work: Work, time: RooflineTime) {
    let pairs = Double(loads.pairs[rank])
    var work = Work(
      weights: costs.expert.weights * Double(loads.experts[rank]), multiplyAdds: costs.expert.multiplyAdds,
      jobs: pairs > 0 ? 2 : 0)
    let time = speed.duration(
      work, parts: loads.experts[rank], rowsByClass: loads.rowsByClass(rank), efficiency)
    work.multiplyAdds = work.multiplyAdds * pairs
    return (work, time)
  }

  /// The rows go to the router, which scores them and chooses.
  private func askRouter(_ tokens: Int, _ exchange: inout ExchangeTime) -> Double {
    let (coordinator, router) = (placement.coordinator, placement.router)
    var way = Phase(.toRouter)
    if router != coordinator {
      way.messages = 1
      way.latencySeconds = layout.latency(from: coordinator, to: router) + efficiency.secondsPerMessage
      let bytes = Double(tokens) * costs.rowBytes + ModelCosts.headerBytes
      way.wireSeconds = bytes / layout.bytesPerSecond(from: coordinator, to: router)
      if !layout.shareNode(coordinator, router) {
        way.wireBytes = bytes
        exchange.portOutOfCoordinator = way.wireSeconds
      }
      way.seconds = way.latencySeconds + way.wireSeconds
    }
    var gate = Phase(
      .gate, costs.gate, rows: tokens, layout.speeds[router].duration(costs.gate, rows: tokens, efficiency))
    let scores = Double(tokens * costs.configuration.routedExperts)
    gate.overheadSeconds += scores * efficiency.secondsPerScore
    gate.seconds += scores * efficiency.secondsPerScore
    exchange.toRouter = way
    exchange.gate = gate
    exchange.routerBusy = gate.seconds
    return way.seconds + gate.seconds
  }

  struct Host {
    let rank: Int
    /// When its rows are there, and when it begins.
    let arrival: Double
    var start: Double
    var time = RooflineTime()
    var work = Work()
    var finish = 0.0
    /// Of the messages that left the router's port up to its own.
    var bytesBefore = 0.0
    var latency = 0.0
    var wire = 0.0
  }

  /// The router sends to one host after the other through one port.
  private func startTimes(
    _ loads: HostLoads, gated: Double, sharedDone: Double, _ exchange: inout ExchangeTime
  ) -> [Host] {
    let router = placement.router
    var (written, port, sent) = (0.0, 0.0, 0.0)
    var hosts: [Host] = []
    for rank in loads.tokens.indices where loads.tokens[rank] > 0 {
      written += efficiency.secondsPerMessage
      guard rank != router else {
        hosts.append(Host(rank: rank, arrival: gated, start: gated))
        continue
      }
      let bytes = Double(loads.tokens[rank]) * costs.dispatchBytes + ModelCosts.headerBytes
      let seconds = bytes / layout.bytesPerSecond(from: router, to: rank)
      let latency = layout.latency(from: router, to: rank) + written
      var host: Host
      if layout.shareNode(router, rank) {
        host = Host(rank: rank, arrival: gated + latency + seconds, start: 0)
        (host.latency, host.wire) = (latency, seconds)
      } else {
        port += seconds
        sent += bytes
        host = Host(rank: rank, arrival: gated + latency + port, start: 0)
        (host.latency, host.wire, host.bytesBefore) = (latency, port, sent)
      }
      host.start = rank == placement.coordinator ? max(host.arrival, sharedDone) : host.arrival
      hosts.append(host)
    }
    for index in hosts.indices where hosts[index].rank == router {
      hosts[index].start = gated + written
      hosts[index].latency = written
      if router == placement.coordinator { hosts[index].start = max(hosts[index].start, sharedDone) }
    }
    exchange.portOutOfRouter = port
    exchange.routerBusy += written
    return hosts
  }

  /// Ranks of a node share its memory and cores: none is done before all of their work so far could be.
  private func finishTimes(_ hosts: inout [Host], _ loads: HostLoads, tokens: Int, includesShared: Bool) {
    var begin = [Double](repeating: .infinity, count: layout.nodeSpeeds.count)
    var together = [Double](repeating: 0, count: layout.nodeSpeeds.count)
    for index in hosts.indices {
      let rank = hosts[index].rank
      let node = layout.nodes[rank]
      (hosts[index].work, hosts[index].time) = expertTime(loads, rank: rank)
      together[node] += expertTime(loads, rank: rank, on: layout.nodeSpeeds[node]).time.seconds
      begin[node] = min(begin[node], hosts[index].start)
    }
    for index in hosts.indices {
      let host = hosts[index]
      let node = layout.nodes[host.rank]
      hosts[index].finish = max(host.start + host.time.seconds, begin[node] + together[node])
    }
  }

  /// Rows come back through the coordinator's port in the order in which they are ready.
  private func takeBack(
    _ hosts: [Host], _ loads: HostLoads, gated: Double, sharedDone: Double, _ exchange: inout ExchangeTime
  ) {
    let coordinator = placement.coordinator
    let order = hosts.map { host in
      let latency = host.rank == coordinator ? 0 : layout.latency(from: host.rank, to: coordinator)
      return (host: host, ready: host.finish + latency)
    }.sorted { ($0.ready, $0.host.rank) < ($1.ready, $1.host.rank) }
    var (port, last, lastHost, sums) = (0.0, gated, Host?.none, 0)
    for (host, ready) in order {
      var arrival = ready
      let bytes = Double(loads.sums[host.rank]) * (costs.rowBytes + 8) + ModelCosts.headerBytes
      sums += loads.sums[host.rank]
      if host.rank != coordinator {
        let seconds = bytes / layout.bytesPerSecond(from: host.rank, to: coordinator)
        if layout.shareNode(host.rank, coordinator) {
          arrival += seconds
        } else {
          port = max(port, ready) + seconds
          exchange.portIntoCoordinator += seconds
          arrival = port
        }
      }
      if lastHost == nil || arrival >= last { (last, lastHost) = (arrival, host) }
    }
    let speed = layout.speeds[coordinator].read * efficiency.memory
    let adding = Double(sums) * costs.rowBytes * 2 / speed + (hosts.isEmpty ? 0 : efficiency.secondsPerMessage)
    exchange.adding = adding
    exchange.total = max(last, sharedDone) + adding
    guard let host = lastHost else { return }
    exchange.explain(host, last: last, gated: gated, sharedDone: sharedDone, adding: adding)
    if host.rank != coordinator {
      exchange.combine.messages = 1
      exchange.combine.latencySeconds = layout.latency(from: host.rank, to: coordinator) + efficiency.secondsPerMessage
      exchange.combine.wireSeconds = max(0, exchange.combine.seconds - exchange.combine.latencySeconds)
      exchange.combine.wireBytes =
        layout.shareNode(host.rank, coordinator)
        ? 0 : exchange.combine.wireSeconds * layout.bytesPerSecond(from: host.rank, to: coordinator)
    }
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
  var portOutOfCoordinator = 0.0
  var portOutOfRouter = 0.0
  var portIntoCoordinator = 0.0
  /// On the coordinator.
  var adding = 0.0

  var phases: [Phase] { [toRouter, gate, dispatch, experts, combine, shared] }

  /// The way of the host that the layer waits for.
  fileprivate mutating func explain(
    _ host: ExchangeModel.Host, last: Double, gated: Double, sharedDone: Double, adding: Double
  ) {
    dispatch.messages = host.latency > 0 ? 1 : 0
    dispatch.latencySeconds = host.latency
    dispatch.wireSeconds = host.wire
    dispatch.wireBytes = host.bytesBefore
    let ready = max(host.arrival, gated + host.latency)
    dispatch.seconds = ready - gated
    experts = Phase(.experts, host.work, rows: 1, host.time)
    experts.seconds = host.finish - host.start
    combine.seconds = last - host.finish + adding
    shared.seconds = max(0, host.start - ready) + max(0, sharedDone - last)
  }
}

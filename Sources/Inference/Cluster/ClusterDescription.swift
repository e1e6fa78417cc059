import Foundation

/// The machines of a cluster and the links between them, as `flotilla calibrate --hostfile` measures and writes them
/// for whoever plans a run.
///
/// Speeds are bytes or multiply-adds a second, latencies seconds, sizes bytes.
public struct ClusterDescription: Codable, Sendable, Equatable {
  /// Grows when a field changes its meaning.
  public static let currentVersion = 1
  public static let mostNodes = 4096

  public var version = Self.currentVersion
  /// Whatever a reader should know first, such as that the machines are made up.
  public var note: String?
  /// ISO 8601, UTC.
  public var date: String
  /// Version of flotilla.
  public var flotilla: String
  /// The command that wrote it.
  public var command: String
  public var transport: Transport
  public var nodes: [Node]
  public var links: Links

  public init(
    note: String? = nil, date: String, flotilla: String, command: String, transport: Transport, nodes: [Node],
    links: Links
  ) {
    self.note = note
    self.date = date
    self.flotilla = flotilla
    self.command = command
    self.transport = transport
    self.nodes = nodes
    self.links = links
  }

  /// One machine.
  public struct Node: Codable, Sendable, Equatable {
    /// As the hostfile has it. No two nodes share one.
    public var name: String
    public var cpu: String
    public var sockets: Int
    /// NUMA domains.
    public var domains: Int
    /// Cores, of all sockets.
    public var cores: Int
    /// Logical processors: more than cores where each runs several threads.
    public var processors: Int
    public var memoryBytes: Memory
    /// The kernels that run there.
    public var instructionSet: String
    /// Bytes a second, by number of threads.
    public var readBytesPerSecond: [Calibration.ThreadSpeed]
    /// Multiply-adds a second in registers, by number of threads.
    public var multiplyAddsF32PerSecond: [Calibration.ThreadSpeed]
    public var multiplyAddsInt8PerSecond: [Calibration.ThreadSpeed]
    /// What the kernels reach of both; nil where only peaks are known.
    public var products: [Calibration.ProductSpeed]?
    /// What other work costs, by number of threads; nil where that is not known.
    public var costs: [Calibration.ThreadCosts]?
    /// Of the last level, which all cores share; nil where the system does not tell.
    public var cacheBytes: Int?
    /// What messages to other nodes take from the processors; nil where that is not known.
    public var messageCost: Calibration.MessageCost?
    /// The network interface that carried the messages; nil where none was seen to, as with InfiniBand.
    public var interface: String?
    /// How TCP reacts to losses.
    public var congestionControl: String?
    public var governor: String?

    public struct Memory: Codable, Sendable, Equatable {
      public var total: Int
      /// What a process could take when it was measured.
      public var available: Int

      public init(total: Int, available: Int) {
        self.total = total
        self.available = available
      }
    }

    enum CodingKeys: String, CodingKey {
      case name, cpu, sockets, domains, cores, processors, products, costs, interface, governor
      case cacheBytes = "cache_bytes"
      case memoryBytes = "memory_bytes"
      case instructionSet = "instruction_set"
      case readBytesPerSecond = "read_bytes_per_second"
      case multiplyAddsF32PerSecond = "multiply_adds_f32_per_second"
      case multiplyAddsInt8PerSecond = "multiply_adds_int8_per_second"
      case messageCost = "message_cost"
      case congestionControl = "congestion_control"
    }

    public init(
      name: String, cpu: String, sockets: Int, domains: Int, cores: Int, processors: Int, memoryBytes: Memory,
      instructionSet: String, readBytesPerSecond: [Calibration.ThreadSpeed],
      multiplyAddsF32PerSecond: [Calibration.ThreadSpeed], multiplyAddsInt8PerSecond: [Calibration.ThreadSpeed],
      products: [Calibration.ProductSpeed]? = nil, costs: [Calibration.ThreadCosts]? = nil, cacheBytes: Int? = nil,
      messageCost: Calibration.MessageCost? = nil, interface: String? = nil, congestionControl: String? = nil,
      governor: String? = nil
    ) {
      self.name = name
      self.cpu = cpu
      self.sockets = sockets
      self.domains = domains
      self.cores = cores
      self.processors = processors
      self.memoryBytes = memoryBytes
      self.instructionSet = instructionSet
      self.readBytesPerSecond = readBytesPerSecond
      self.multiplyAddsF32PerSecond = multiplyAddsF32PerSecond
      self.multiplyAddsInt8PerSecond = multiplyAddsInt8PerSecond
      self.products = products
      self.costs = costs
      self.cacheBytes = cacheBytes
      self.messageCost = messageCost
      self.interface = interface
      self.congestionControl = congestionControl
      self.governor = governor
    }
  }

  /// What carries messages.
  public struct Transport: Codable, Sendable, Equatable {
    /// Version of the MPI library.
    public var mpi: String
    /// The address range that MPI was bound to; nil where it chose by itself.
    public var network: String?

    public init(mpi: String, network: String? = nil) {
      self.mpi = mpi
      self.network = network
    }
  }

  /// `[nodes, nodes]` each: row the sender, column the receiver, in the order of the nodes; 0 on the diagonal.
  public struct Links: Codable, Sendable, Equatable {
    /// Half the round trip of a short message.
    public var latencySeconds: [[Double]]
    public var bytesPerSecond: [[Double]]

    enum CodingKeys: String, CodingKey {
      case latencySeconds = "latency_seconds"
      case bytesPerSecond = "bytes_per_second"
    }

    public init(latencySeconds: [[Double]], bytesPerSecond: [[Double]]) {
      self.latencySeconds = latencySeconds
      self.bytesPerSecond = bytesPerSecond
    }
  }
}

extension ClusterDescription.Links {
  /// Of links between ranks that are nodes of these numbers.
  public init(_ links: [ClusterMeasurement.Link], nodes: Int) {
    let row = [Double](repeating: 0, count: nodes)
    var latency = [[Double]](repeating: row, count: nodes)
    var bandwidth = latency
    for link in links {
      latency[link.from][link.to] = link.latencySeconds
      bandwidth[link.from][link.to] = link.bytesPerSecond
    }
    self.init(latencySeconds: latency, bytesPerSecond: bandwidth)
  }
}

extension ClusterDescription {
  /// The same with speeds and latencies of four digits: more are noise.
  public var rounded: ClusterDescription {
    var cluster = self
    cluster.nodes = nodes.map { node in
      var node = node
      node.readBytesPerSecond = node.readBytesPerSecond.map(\.rounded)
      node.multiplyAddsF32PerSecond = node.multiplyAddsF32PerSecond.map(\.rounded)
      node.multiplyAddsInt8PerSecond = node.multiplyAddsInt8PerSecond.map(\.rounded)
      node.products = node.products?.map(\.rounded)
      node.costs = node.costs?.map { $0.mapped(\.fourDigits) }
      node.messageCost = node.messageCost?.rounded
      return node
    }
    cluster.links.latencySeconds = links.latencySeconds.map { $0.map(\.fourDigits) }
    cluster.links.bytesPerSecond = links.bytesPerSecond.map { $0.map(\.fourDigits) }
    return cluster
  }
}

extension Calibration.ThreadSpeed {
  fileprivate var rounded: Calibration.ThreadSpeed {
    Calibration.ThreadSpeed(threads: threads, best: best.fourDigits, median: median.fourDigits)
  }
}

extension Double {
  /// By way of text, since a product with a power of ten is not always the nearest number.
  var fourDigits: Double { Double(String(format: "%.3e", self)) ?? self }
}

import Foundation
import Inference

/// Everything that was found out, before anybody judges it.
public struct Examination: Codable, Sendable, Equatable {
  /// ISO 8601, UTC.
  public var date: String
  /// The command line.
  public var command: String
  /// The program that asked, and what all nodes are held against.
  public var here: Reference
  public var model: Model?
  public var nodes: [Node]
  public var network: Network?

  package init(
    date: String, command: String, here: Reference, model: Model?, nodes: [Node], network: Network? = nil
  ) {
    self.date = date
    self.command = command
    self.here = here
    self.model = model
    self.nodes = nodes
    self.network = network
  }

  public struct Reference: Codable, Sendable, Equatable {
    public var version: String
    /// SHA-256 of the binary.
    public var hash: String?
    public var mpi: String

    public init(version: String, hash: String?, mpi: String) {
      self.version = version
      self.hash = hash
      self.mpi = mpi
    }
  }

  /// What is to be run.
  public struct Model: Codable, Sendable, Equatable {
    public var name: String
    /// Run formats of the weights.
    public var formats: String
    /// On the nodes; nil where there are no weights, only a shape.
    public var path: String?
    /// Hash of the manifest here, of a prepared model.
    public var manifest: String?
    /// Tokens of a sequence that memory is counted for.
    public var contextSize: Int

    public init(name: String, formats: String, path: String?, manifest: String?, contextSize: Int) {
      self.name = name
      self.formats = formats
      self.path = path
      self.manifest = manifest
      self.contextSize = contextSize
    }
  }

  public struct Node: Codable, Sendable, Equatable {
    /// As the hostfile has it.
    public var name: String
    public var need: NodeNeed
    /// What kept it from answering.
    public var failure: Failure?
    /// Seconds that its answer took.
    public var seconds: Double?
    /// Its clock less the clock here, in seconds.
    public var clockOffset: Double?
    public var shell: ShellFacts?
    /// What flotilla there says.
    public var facts: NodeFacts?
    /// Files that differ from the manifest; nil where nobody has compared hashes.
    public var damages: [Damage]?

    public init(
      name: String, need: NodeNeed, failure: Failure? = nil, seconds: Double? = nil, clockOffset: Double? = nil,
      shell: ShellFacts? = nil, facts: NodeFacts? = nil, damages: [Damage]? = nil
    ) {
      self.name = name
      self.need = need
      self.failure = failure
      self.seconds = seconds
      self.clockOffset = clockOffset
      self.shell = shell
      self.facts = facts
      self.damages = damages
    }
  }

  public struct Failure: Codable, Sendable, Equatable {
    public var text: String
    public var hint: String

    public init(text: String, hint: String) {
      self.text = text
      self.hint = hint
    }
  }

  public struct Damage: Codable, Sendable, Equatable {
    public var file: String
    public var text: String

    public init(file: String, text: String) {
      self.file = file
      self.text = text
    }
  }

  /// What the MPI job over all nodes gave.
  public struct Network: Codable, Sendable, Equatable {
    /// The address range that MPI was bound to; nil where it chose by itself.
    public var range: String?
    /// By rank, one for each node, in the order of the nodes.
    public var measurement: ClusterMeasurement?
    /// Why there is none.
    public var failure: Failure?
    /// Whether nodes reach each other by TCP.
    public var connections: [Connection]

    public init(
      range: String?, measurement: ClusterMeasurement?, failure: Failure? = nil, connections: [Connection] = []
    ) {
      self.range = range
      self.measurement = measurement
      self.failure = failure
      self.connections = connections
    }
  }

  /// A try to open a TCP connection to a port that the system picked.
  public struct Connection: Codable, Sendable, Equatable {
    public var from: String
    public var to: String
    /// In the range that MPI is bound to; nil where its name was used.
    public var address: String?
    public var port: Int
    /// Nil where it worked.
    public var failure: String?

    /// Whether it failed for another reason than a name that the node does not know, which MPI does not need.
    public var isBlocked: Bool { failure.map { $0 != ConnectionTest.unknownName } ?? false }

    public init(from: String, to: String, address: String? = nil, port: Int, failure: String?) {
      self.from = from
      self.to = to
      self.address = address
      self.port = port
      self.failure = failure
    }
  }
}

/// What the ranks of a node need there.
public struct NodeNeed: Codable, Sendable, Equatable {
  /// Ranks that run there, ascending.
  public var ranks: [Int]
  /// What they do.
  public var roles: [String]
  /// Weights, buffers and cache of all of them; nil where no model was named.
  public var memoryBytes: Int?
  /// Files of the model that they read.
  public var files: [ShellFacts.File]
  /// The bundles among them, as people list them; nil where the model is not a prepared one.
  public var bundles: String?
  /// Of a shape without weights: what their bundles will take on the disk.
  public var diskBytes: Int?

  public init(
    ranks: [Int], roles: [String] = [], memoryBytes: Int? = nil, files: [ShellFacts.File] = [], bundles: String? = nil,
    diskBytes: Int? = nil
  ) {
    self.ranks = ranks
    self.roles = roles
    self.memoryBytes = memoryBytes
    self.files = files
    self.bundles = bundles
    self.diskBytes = diskBytes
  }
}

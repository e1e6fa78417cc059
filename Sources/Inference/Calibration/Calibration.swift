import Checkpoint
import Foundation

/// What the machines of a job can do at most, as `flotilla calibrate` measures and keeps it.
///
/// Speeds are bytes or multiply-adds a second, latencies seconds.
public struct Calibration: Codable, Sendable, Equatable {
  /// Grows when a field changes its meaning.
  public static let currentSchema = 1

  public var schema = Self.currentSchema
  /// ISO 8601, UTC.
  public var date: String
  /// Version of flotilla.
  public var flotilla: String
  public var hosts: [Host]
  /// One for every pair of ranks; empty for a single rank.
  public var links: [Link]

  public init(date: String, flotilla: String, hosts: [Host], links: [Link]) {
    self.date = date
    self.flotilla = flotilla
    self.hosts = hosts
    self.links = links
  }

  /// One machine.
  public struct Host: Codable, Sendable, Equatable {
    public var name: String
    /// Ranks that ran there.
    public var ranks: [Int]
    public var machine: MachineFacts
    public var instructionSet: String
    /// Size of the buffer that was read.
    public var bufferBytes: Int
    /// Bytes a second, by number of threads.
    public var readBytesPerSecond: [ThreadSpeed]
    /// All ranks of the host at once; nil where there is one.
    public var readByAllRanks: SharedSpeed?
    /// Multiply-adds a second in registers, by number of threads.
    public var multiplyAddsF32PerSecond: [ThreadSpeed]
    public var multiplyAddsInt8PerSecond: [ThreadSpeed]
    /// What the kernels reach of both, by format and number of threads; nil in files of older versions.
    public var products: [ProductSpeed]?
    /// What other work costs, by number of threads; nil in files of older versions.
    public var costs: [ThreadCosts]?

    enum CodingKeys: String, CodingKey {
      case name, ranks, machine, products, costs
      case instructionSet = "instruction_set"
      case bufferBytes = "buffer_bytes"
      case readBytesPerSecond = "read_bytes_per_second"
      case readByAllRanks = "read_by_all_ranks"
      case multiplyAddsF32PerSecond = "multiply_adds_f32_per_second"
      case multiplyAddsInt8PerSecond = "multiply_adds_int8_per_second"
    }
  }

  /// The first host that read a buffer so small that much of it may have come from the cache; nil: none did.
  public var hostThatReadCache: Host? { hosts.first { $0.bufferBytes < $0.machine.bufferBeyondCache } }

  /// A speed that some threads reach together.
  public struct ThreadSpeed: Codable, Sendable, Equatable {
    public var threads: Int
    public var best: Double
    public var median: Double

    public init(threads: Int, best: Double, median: Double) {
      self.threads = threads
      self.best = best
      self.median = median
    }
  }

  /// Bytes a second that the ranks of a host read together.
  public struct SharedSpeed: Codable, Sendable, Equatable {
    public var ranks: Int
    public var threadsPerRank: Int
    public var best: Double
    public var median: Double

    enum CodingKeys: String, CodingKey {
      case ranks, best, median
      case threadsPerRank = "threads_per_rank"
    }
  }

  /// Messages between two ranks, measured while all others were quiet.
  public struct Link: Codable, Sendable, Equatable {
    public var from: Int
    public var to: Int
    /// By size of the message, ascending.
    public var messages: [MessageSpeed]

    package init(from: Int, to: Int, messages: [MessageSpeed]) {
      self.from = from
      self.to = to
      self.messages = messages
    }
  }

  /// Half a round trip of a message.
  public struct MessageSpeed: Codable, Sendable, Equatable {
    public var bytes: Int
    public var rounds: Int
    public var p50Seconds: Double
    public var p99Seconds: Double
    /// Size over the median.
    public var bytesPerSecond: Double

    package init(bytes: Int, rounds: Int, p50Seconds: Double, p99Seconds: Double, bytesPerSecond: Double) {
      self.bytes = bytes
      self.rounds = rounds
      self.p50Seconds = p50Seconds
      self.p99Seconds = p99Seconds
      self.bytesPerSecond = bytesPerSecond
    }

    enum CodingKeys: String, CodingKey {
      case bytes, rounds
      case p50Seconds = "p50_seconds"
      case p99Seconds = "p99_seconds"
      case bytesPerSecond = "bytes_per_second"
    }
  }
}

extension Calibration {
  /// Where the calibration of a host is kept unless a file is named: `$XDG_CACHE_HOME/flotilla`, else
  /// `~/.cache/flotilla`.
  public static func defaultFile(
    host: String, environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> URL {
    let cache =
      environment["XDG_CACHE_HOME"].flatMap { $0.hasPrefix("/") ? URL(filePath: $0) : nil }
      ?? FileManager.default.homeDirectoryForCurrentUser.appending(path: ".cache")
    // A host's name is a file's name here, whatever it holds.
    let name = String(String.UnicodeScalarView(host.unicodeScalars.map { $0 == "/" || $0 == "\0" ? "_" : $0 }))
    return cache.appending(path: "flotilla").appending(path: "calibration-\(name).json")
  }

  /// The bytes of a calibration file: keys sorted, one member a line.
  public func json() throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return try encoder.encode(self) + Data("\n".utf8)
  }

  /// Writes the file; the old one stays until the new one is whole.
  ///
  /// - Parameter makesFolders: whether the folders that lead to it are made too.
  /// - Throws: ``CalibrationError``.
  public func write(to url: URL, makesFolders: Bool = false) throws {
    do {
      if makesFolders {
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      }
      try json().write(to: url, options: .atomic)
    } catch let error as CocoaError {
      throw CalibrationError(writing: url, error)
    }
  }
}

/// What is wrong with a calibration file.
public struct CalibrationError: Error, Equatable, CustomStringConvertible {
  public let file: String
  /// `hosts[0].machine.cores`, or a part of the file.
  public let field: String
  public let expected: String
  public let found: String
  public let hint: String
  /// The system refused: the same command may work later.
  public private(set) var isFailure = false

  init(file: String, field: String, expected: String, found: String, hint: String) {
    (self.file, self.field, self.expected, self.found, self.hint) = (file, field, expected, found, hint)
  }

  /// A file that cannot be written.
  init(writing url: URL, _ error: CocoaError) {
    let refusal = WriteRefusal(error)
    self.init(
      file: url.path(percentEncoded: false), field: "file", expected: "to write it", found: refusal.found,
      hint: refusal.hint(else: "name another one with -o"))
    isFailure = !refusal.isOfPath
  }

  public var description: String { "\(file): \(field): expected \(expected), found \(found). Hint: \(hint)" }
}

import Foundation

/// How a machine's logical processors belong together.
public struct MachineCores: Sendable, Equatable {
  /// By processor: the lowest processor of the same core. Where the system says nothing, each is a core.
  private let cores: [Int: Int]
  /// The processors of each NUMA domain, by ascending number; one domain where the system says nothing.
  public let domains: [ProcessorSet]

  public init(cores: [Int: Int], domains: [ProcessorSet]) {
    self.cores = cores
    self.domains = domains
  }

  /// - Parameter root: of the file system; tests pass their own.
  public static func ofThisMachine(_ processors: ProcessorSet, root: String = "") -> MachineCores {
    let system = root + "/sys/devices/system"
    var cores: [Int: Int] = [:]
    for processor in processors.numbers {
      let siblings = list("\(system)/cpu/cpu\(processor)/topology/thread_siblings_list")
      cores[processor] = siblings?.numbers.first
    }
    let nodes = list(system + "/node/online")?.numbers ?? []
    let domains = nodes.compactMap { list("\(system)/node/node\($0)/cpulist") }.filter { !$0.numbers.isEmpty }
    return MachineCores(cores: cores, domains: domains.isEmpty ? [processors] : domains)
  }

  /// Cores of which `processors` holds one processor at least.
  public func count(in processors: ProcessorSet) -> Int { Set(processors.numbers.map { cores[$0] ?? $0 }).count }

  /// The parts of `processors` in each domain; processors of no domain are left out unless that is all of them.
  func parts(of processors: ProcessorSet) -> [ProcessorSet] {
    let wanted = Set(processors.numbers)
    let parts = domains.map { ProcessorSet($0.numbers.filter(wanted.contains)) }.filter { !$0.numbers.isEmpty }
    return parts.isEmpty ? [processors] : parts
  }

  private static func list(_ path: String) -> ProcessorSet? {
    (try? String(contentsOfFile: path, encoding: .utf8)).flatMap { ProcessorSet(list: $0) }
  }
}

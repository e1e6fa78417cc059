import ExpertParallel
import Foundation
import Inference
import Kernels

extension Placement {
  /// How many ranks have no part in the run; nil where all have one.
  var idleNote: String? {
    let idle = (0..<ranks).count { roles(of: $0).isEmpty }
    guard idle > 0 else { return nil }
    let verb = idle == 1 ? "has" : "have"
    return "\(idle) of \(ranks) ranks \(verb) no experts and nothing to do: a layer has \(experts) experts"
  }
}

extension RunSession {
  /// Nobody asked for the slowest kernels, and a host has no others; nil elsewhere.
  var scalarWarning: String? {
    guard (ProcessInfo.processInfo.environment["FLOTILLA_ISA"] ?? "").isEmpty else { return nil }
    let hosts = Set(
      instructionSets.enumerated().filter { $0.element == InstructionSet.scalar.rawValue }
        .map { fleet.exchange.hostName(of: $0.offset) })
    guard !hosts.isEmpty else { return nil }
    return "no AVX2 or NEON dot products on \(hosts.sorted().joined(separator: ", ")): it runs, 14 to 76 times slower"
  }
}

extension CoreShare {
  /// Advice for a rank that reads the memory of several NUMA domains; nil where it has one.
  var domainsNote: String? {
    guard domains > 1 else { return nil }
    return "the coordinator extends over \(domains) NUMA domains of its host, and much of its memory lies behind the "
      + "link between them; hint: one rank for each domain, as mpirun -n \(domains) --bind-to none"
  }
}

import Foundation
import Nodes

/// What was found and what it means, for programs and for bug reports.
public struct DoctorReport: Codable, Sendable, Equatable {
  public struct Summary: Codable, Sendable, Equatable {
    public var verdict: Grade
    public var green: Int
    public var amber: Int
    public var red: Int
  }

  /// What else helps somebody far away.
  public struct Surroundings: Codable, Sendable, Equatable {
    /// Texts of the files that were named.
    public var hostfile: String?
    public var placement: String?
    /// Variables that steer MPI and flotilla, as "NAME=value", sorted.
    public var environment: [String]

    public init(hostfile: String?, placement: String?, environment: [String: String]) {
      self.hostfile = hostfile
      self.placement = placement
      let prefixes = ["OMPI_", "PMIX_", "PRTE_", "UCX_", "FLOTILLA_"]
      // Of a batch system only what names nobody: accounts, users and nodes would show through a redacted report.
      let numbers: Set = ["SLURM_JOB_ID", "SLURM_JOB_NUM_NODES", "SLURM_JOB_CPUS_PER_NODE", "SLURM_NTASKS"]
      self.environment =
        environment
        .filter { name, _ in numbers.contains(name) || prefixes.contains { name.hasPrefix($0) } }
        .map { "\($0.key)=\($0.value)" }.sorted()
    }
  }

  public var summary: Summary
  public var findings: [Finding]
  public var examination: Examination
  /// Only for bug reports.
  public var surroundings: Surroundings?

  public init(_ examination: Examination, surroundings: Surroundings? = nil) {
    let diagnosis = Diagnosis(of: examination)
    summary = Summary(
      verdict: diagnosis.worst, green: diagnosis.count(.green), amber: diagnosis.count(.amber),
      red: diagnosis.count(.red))
    findings = diagnosis.findings
    self.examination = examination
    self.surroundings = surroundings
  }

  public var diagnosis: Diagnosis { Diagnosis(findings) }

  /// The same without names of hosts, users, addresses and paths.
  public func redacted() throws -> DoctorReport {
    var redactor = Redactor(examination)
    let named = try DoctorReport(
      redactor.redacted(examination, .names), surroundings: surroundings.map { try redactor.redacted($0, .names) })
    return try redactor.redacted(named, .places)
  }
}

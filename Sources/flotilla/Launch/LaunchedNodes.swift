import Checkpoint
import Foundation
import Inference
import Kernels
import Launch
import MessagePassing
import Nodes
import Reporting

/// The nodes of a launch: which there are, and which of them answer.
struct LaunchedNodes {
  let options: LaunchNodes
  /// Absolute path of flotilla there.
  let program: String
  /// Nil: this machine, or those of a batch system.
  private let named: [Hostfile.Host]?
  /// SHA-256 that the program must have.
  private var hash: String?
  /// Of the smallest node; nil where none was asked.
  private(set) var processors: Int?

  /// How long a node may take to answer after a loss, in seconds: ssh takes one; a dead node never answers.
  private static let patience = 8.0

  init(_ options: LaunchNodes, program: String) throws {
    (self.options, self.program) = (options, program)
    named = try options.named()
  }

  /// Before the first start all must answer and have the program. All that do not are told together.
  ///
  /// - Parameter install: brings the program to nodes that lack it; nil: that is an error.
  mutating func all(install: (([String]) throws -> Void)?) throws -> LaunchPlan.Place {
    guard let named else { return options.placeWithoutNodes }
    let surveys = try ask(named)
    let failures = surveys.compactMap(\.failure)
    guard failures.isEmpty else { throw Failure(cause: NodeFailures(errors: failures), status: .usage) }
    try checkPrograms(surveys, install)
    processors = surveys.map(\.processors).min()
    return .hosts(zip(named, surveys).map(Self.host))
  }

  /// After a loss: the nodes that answer and have the program, and the others.
  ///
  /// - Returns: nil where none is left.
  func left() throws -> (place: LaunchPlan.Place, missing: [String])? {
    guard let named else { return (options.placeWithoutNodes, []) }
    let surveys = try ask(named, within: Self.patience)
    var (hosts, missing): ([Hostfile.Host], [String]) = ([], [])
    for (host, survey) in zip(named, surveys) {
      if survey.failure == nil, hash == nil || survey.program == hash {
        hosts.append(Self.host(host, survey))
      } else {
        missing.append(host.name)
      }
    }
    return hosts.isEmpty ? nil : (.hosts(hosts), missing)
  }

  /// Removes what a job left where nobody else could; says on which nodes that was not possible.
  ///
  /// - Parameter secret: of the job.
  func tidy(_ secret: String) {
    let hosts = named?.map(\.name) ?? [ProcessInfo.processInfo.hostName]
    let shell = named == nil ? RemoteShell.ssh() : options.shell
    let silent = JobRemains.remove(of: secret, on: hosts, shell, within: Self.patience) {
      TerminationSignal.requested
    }
    guard !silent.isEmpty else { return }
    note("no answer from \(silent.joined(separator: ", ")): session folders of mpirun may be left in /tmp there")
  }

  private static func host(_ host: Hostfile.Host, _ survey: NodeSurvey) -> Hostfile.Host {
    Hostfile.Host(name: host.name, slots: host.slots > 0 ? host.slots : survey.domains)
  }

  private func ask(_ hosts: [Hostfile.Host], within seconds: Double = .infinity) throws -> [NodeSurvey] {
    TerminationSignal.install()
    let end = MonotonicClock.seconds() + seconds
    let surveys = NodeSurvey.ask(hosts.map(\.name), options.shell, program: program) {
      TerminationSignal.requested || MonotonicClock.seconds() > end
    }
    if TerminationSignal.requested { throw Interrupted() }
    return surveys
  }

  /// What lies here counts; a program that lies on the nodes only is compared among them.
  private mutating func checkPrograms(_ surveys: [NodeSurvey], _ install: (([String]) throws -> Void)?) throws {
    let isHere = FileManager.default.fileExists(atPath: program)
    let expected = isHere ? try Digest(contentsOf: URL(filePath: program)).description : surveys.first?.program
    hash = expected
    let others = surveys.filter { $0.program != expected || $0.program == nil }.map(\.host)
    guard !others.isEmpty else { return }
    guard let install else {
      let found = surveys.first { $0.host == others[0] }?.program == nil ? "nothing" : "another one"
      throw LaunchError(
        "\(program) on \(others.joined(separator: ", ")): expected \(isHere ? "this very program" : "one program"), "
          + "found \(found)",
        hint: isHere ? "--install copies it there" : "copy the same one to each node")
    }
    try install(others)
  }
}

/// How good something is.
public enum Grade: String, Codable, Sendable, Comparable, CaseIterable {
  case green, amber, red

  public static func < (left: Grade, right: Grade) -> Bool {
    allCases.firstIndex(of: left)! < allCases.firstIndex(of: right)!
  }
}

/// What a finding is about.
public enum Subject: String, Codable, Sendable {
  case reached, flotilla, openMPI = "open mpi", processor, ranks, load, memory, files, disk, clock, governor
  case hugePages = "huge pages"
  case congestion, limits, network, names, job, interface, links

  /// Whether a run fails for want of ranks that work together, not for want of something on one node.
  var isFabric: Bool {
    switch self {
    case .reached, .flotilla, .openMPI, .network, .names, .job, .interface, .links: true
    default: false
    }
  }
}

/// One line of the doctor's.
public struct Finding: Codable, Sendable, Equatable {
  /// Nil: all of them.
  public var node: String?
  public var subject: Subject
  public var grade: Grade
  /// What was found.
  public var text: String
  /// What to do; empty where nothing has to be done.
  public var advice: String

  public init(_ grade: Grade, _ subject: Subject, _ text: String, advice: String = "", node: String? = nil) {
    self.node = node
    self.subject = subject
    self.grade = grade
    self.text = text
    self.advice = advice
  }
}

/// All findings, and what they come to.
public struct Diagnosis: Codable, Sendable, Equatable {
  public var findings: [Finding]

  public init(_ findings: [Finding]) { self.findings = findings }

  public var worst: Grade { findings.map(\.grade).max() ?? .green }
  public func count(_ grade: Grade) -> Int { findings.count { $0.grade == grade } }
  /// Whether something red keeps ranks from working together.
  public var breaksFabric: Bool { findings.contains { $0.grade == .red && $0.subject.isFabric } }

  /// Pure: the same examination gives the same findings.
  public init(of examination: Examination) {
    let nodes = examination.nodes
    var findings = nodes.flatMap { NodeJudgement(node: $0, examination: examination).findings }
    findings += ClusterJudgement(examination: examination).findings
    if let network = examination.network {
      findings += NetworkJudgement(network: network, nodes: nodes).findings
    }
    self.init(findings)
  }
}

import Foundation

/// What is right and wrong with one node.
struct NodeJudgement {
  let node: Examination.Node
  let examination: Examination

  private var here: Examination.Reference { examination.here }
  private var isAlone: Bool { examination.nodes.count == 1 }

  /// In the order in which somebody would mend things.
  var findings: [Finding] {
    if let failure = node.failure {
      return named([Finding(.red, .reached, failure.text, advice: failure.hint)])
    }
    guard let shell = node.shell else { return [] }
    var findings = [reached(shell), program(shell), openMPI(shell)]
    if let facts = node.facts {
      findings += [processor(facts), ranks(facts), load(facts), governor(facts), hugePages(facts)].compactMap(\.self)
      findings += [congestion(facts), limits(facts)].compactMap(\.self)
    }
    findings +=
      [memory(shell)] + FileJudgement(need: node.need, shell: shell, node: node, examination: examination).findings
    findings += [clock()].compactMap(\.self)
    return named(findings)
  }

  private func named(_ findings: [Finding]) -> [Finding] {
    findings.map { finding in
      var finding = finding
      finding.node = node.name
      return finding
    }
  }

  private func reached(_ shell: ShellFacts) -> Finding {
    let name = node.facts?.hostName ?? shell.hostName
    let time = node.seconds.map { ", in \(Amount.seconds($0))" } ?? ""
    return Finding(
      .green, .reached, "answers as \(name ?? "a host without a name"), \(shell.system ?? "unknown system")\(time)")
  }

  // MARK: Programs

  private func program(_ shell: ShellFacts) -> Finding {
    let copy = "copy this binary to the same path there"
    guard let program = shell.program else {
      return Finding(
        .red, .flotilla, "none there at the path of this one", advice: copy + ", or name its path with --flotilla")
    }
    guard let version = program.version else {
      let said = shell.refusal ?? "no word why"
      let advice =
        said.contains("libmpi")
        ? "install Open MPI there: apt-get install openmpi-bin libopenmpi-dev"
        : "is it a binary for that system, with all that it needs? \(copy)"
      return Finding(.red, .flotilla, "\(program.path) does not start: \(said)", advice: advice)
    }
    if let hash = program.hash, let own = here.hash, hash != own {
      return Finding(
        .red, .flotilla,
        "another binary: version \(version), sha256 \(hash.prefix(12)), here \(here.version), \(own.prefix(12))",
        advice: "\(copy): ranks of different binaries refuse to work together")
    }
    guard node.facts != nil else {
      return Finding(
        .red, .flotilla, "\(program.path) gives no facts: \(shell.refusal ?? "no word why")", advice: copy)
    }
    guard program.hash != nil, here.hash != nil else {
      return Finding(.amber, .flotilla, "version \(version); whether it is the same binary is not known", advice: copy)
    }
    return Finding(.green, .flotilla, "version \(version), the same binary (sha256 \(program.hash!.prefix(12)))")
  }

  private func openMPI(_ shell: ShellFacts) -> Finding {
    let install = "apt-get install openmpi-bin libopenmpi-dev there, the same version on every node"
    guard let line = shell.mpirun, let found = MPIVersion(line) else {
      return Finding(
        isAlone ? .amber : .red, .openMPI, "no mpirun in the PATH of a remote command",
        advice: install + "; a command over ssh does not read your shell's PATH")
    }
    guard shell.hasDaemon else {
      return Finding(
        isAlone ? .amber : .red, .openMPI, "mpirun \(found), but no orted or prted in the PATH of a remote command",
        advice: install)
    }
    let library = node.facts.flatMap { MPIVersion($0.mpi) }
    if let library, library != found {
      return Finding(
        .amber, .openMPI, "mpirun \(found), but flotilla was loaded with library \(library)",
        advice: "leave only one Open MPI in the paths of that node")
    }
    guard let own = MPIVersion(here.mpi), own != found else { return Finding(.green, .openMPI, "\(found)") }
    return Finding(
      own.isCompatible(with: found) ? .amber : .red, .openMPI, "version \(found), here \(own)", advice: install)
  }

  // MARK: The machine

  private func processor(_ facts: NodeFacts) -> Finding {
    let parts = [
      facts.machine.cpu, Amount.count(facts.sockets, "socket"), Amount.count(facts.domains, "NUMA domain"),
      Amount.count(facts.cores, "core"), Amount.count(facts.processors, "thread"), "kernels \(facts.instructionSet)",
    ]
    let isSlow = facts.instructionSet == "scalar"
    return Finding(
      isSlow ? .amber : .green, .processor, parts.joined(separator: ", "),
      advice: isSlow ? "no vector instructions that flotilla knows: the bits are the same, the speed is not" : "")
  }

  private func ranks(_ facts: NodeFacts) -> Finding {
    let count = node.need.ranks.count
    let text = "\(Amount.count(count, "rank")) on \(Amount.count(facts.cores, "core"))"
    if count > facts.cores {
      return Finding(
        .amber, .ranks, "\(text): more ranks than cores",
        advice: "give it at most slots=\(facts.cores) in the hostfile, better slots=\(facts.domains)")
    }
    if count < facts.domains {
      return Finding(
        .amber, .ranks,
        "\(text), \(facts.domains) NUMA domains: a rank reads memory behind the link between domains",
        advice: "slots=\(facts.domains) in the hostfile: one rank for each domain")
    }
    return Finding(.green, .ranks, text)
  }

  private func load(_ facts: NodeFacts) -> Finding? {
    guard let load = facts.load else { return nil }
    let text = String(format: "%.1f on \(Amount.count(facts.processors, "thread"))", load)
    guard load > 0.5 + Double(facts.cores) / 4 else { return Finding(.green, .load, text) }
    return Finding(
      .amber, .load, "\(text): something else runs there",
      advice: "see with top what it is; ranks wait for the slowest of them")
  }

  private func memory(_ shell: ShellFacts) -> Finding {
    let total = node.facts?.memoryTotal ?? shell.memoryTotal
    guard let available = node.facts?.memoryAvailable ?? shell.memoryAvailable else {
      return Finding(.amber, .memory, "the node does not say how much it has")
    }
    let there = "\(Amount.bytes(available)) available" + (total.map { " of \(Amount.bytes($0))" } ?? "")
    guard let need = node.need.memoryBytes else { return Finding(.green, .memory, there) }
    let text = "\(Amount.bytes(need)) needed, \(there)"
    if need <= available - available / 10 { return Finding(.green, .memory, text) }
    guard need > available else {
      return Finding(
        .amber, .memory, "\(text): it just fits", advice: "end what else runs there, or give it fewer experts")
    }
    let missing = "\(text): \(Amount.bytes(need - available)) missing"
    if let total, need <= total {
      return Finding(
        .red, .memory, missing, advice: "end what else takes memory there, or give it fewer experts (--placement)")
    }
    return Finding(
      .red, .memory, missing,
      advice: "fewer experts there (--placement), more nodes, a smaller --quant or a shorter context (-c)")
  }

  private func clock() -> Finding? {
    guard let offset = node.clockOffset else { return nil }
    guard abs(offset) > 1 else { return Finding(.green, .clock, "within a second of this machine's") }
    return Finding(
      .amber, .clock, "\(Amount.seconds(abs(offset))) \(offset > 0 ? "ahead of" : "behind") this machine's",
      advice: "nothing fails, but records and logs of nodes will not match: install chrony there")
  }

  // MARK: Settings

  private func governor(_ facts: NodeFacts) -> Finding? {
    guard let governor = facts.machine.governor else { return nil }
    guard governor != "performance" else { return Finding(.green, .governor, governor) }
    return Finding(
      .amber, .governor, "\(governor): cores slow down while a rank waits for messages",
      advice: "cpupower frequency-set -g performance")
  }

  private func hugePages(_ facts: NodeFacts) -> Finding? {
    guard let pages = facts.machine.hugePages else { return nil }
    guard facts.machine.refusesHugePages else { return Finding(.green, .hugePages, pages) }
    return Finding(
      .amber, .hugePages, "never: every read of weights looks up small pages",
      advice: "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled")
  }

  /// Measured over 1 Gbit/s: messages of 57 KB took twice as long under bbr as under reno.
  private func congestion(_ facts: NodeFacts) -> Finding? {
    guard let control = facts.machine.congestionControl, !isAlone else { return nil }
    guard control.hasPrefix("bbr") else { return Finding(.green, .congestion, control) }
    return Finding(
      .amber, .congestion, "\(control) paces bursts, which rows of tokens are",
      advice: "sysctl -w net.ipv4.tcp_congestion_control=cubic on every node, then measure again")
  }

  private func limits(_ facts: NodeFacts) -> Finding {
    let locked = facts.lockLimit.map { Amount.bytes($0) } ?? "any number of bytes"
    let files = facts.fileLimit.map { "\($0)" } ?? "any number of"
    let text = "\(files) open files; \(locked) locked"
    if let limit = facts.fileLimit, limit < 1024 {
      return Finding(.amber, .limits, text, advice: "ulimit -n 4096 for remote commands, in /etc/security/limits.conf")
    }
    return Finding(.green, .limits, text)
  }
}

/// The numbers of an Open MPI version.
package struct MPIVersion: Equatable, CustomStringConvertible {
  package let numbers: [Int]

  /// Of "mpirun (Open MPI) 4.1.4" or "Open MPI v4.1.4, package: …".
  package init?(_ text: String) {
    for word in text.split(whereSeparator: { $0 == " " || $0 == "," }) {
      let bare = word.first == "v" ? word.dropFirst() : word
      let numbers = bare.prefix { $0.isNumber || $0 == "." }.split(separator: ".").map { Int($0) }
      if numbers.count >= 2, !numbers.contains(nil) {
        self.numbers = numbers.compactMap(\.self)
        return
      }
    }
    return nil
  }

  /// Whether ranks of both may be in one job, as Open MPI promises for a series.
  func isCompatible(with other: MPIVersion) -> Bool { numbers.prefix(2) == other.numbers.prefix(2) }

  package var description: String { numbers.map(String.init).joined(separator: ".") }
}

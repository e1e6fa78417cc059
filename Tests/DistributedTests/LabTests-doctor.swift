import Foundation
import StrictJSON
import TestSupport
import Testing

extension LabTests {
  @Test("doctor: hosts with what they need are green; a fault put in on purpose is red on its host, and only there")
  func doctor() throws {
    try withTemporaryFolder { folder in
      let hosts = try PreparedHosts(folder)
      let healthy = try examine(hosts, ["--verify"])
      #expect(healthy.redButLinks == [], "\(healthy.told)")
      for host in ["n0", "n1", "n2"] {
        #expect(healthy.text(host, "interface") == "MPI used eth0")
        #expect(healthy.text(host, "files").hasSuffix("hashes as in the manifest"))
      }
      try putInFaults(hosts, folder)
      let ill = try examine(hosts, ["--verify", "--no-links"])
      #expect(ill.status == 3 && ill.red == ["n0 files", "n1 flotilla", "n1 memory", "n2 files"], "\(ill.told)")
      #expect(ill.text("n0", "files").contains("missing: dense.bundle"))
      #expect(ill.text("n1", "flotilla").hasPrefix("another binary: "))
      #expect(ill.text("n1", "memory").contains("1.0 MiB available of 64.0 MiB: "))
      #expect(ill.text("n2", "files").contains("damaged: expert-0"))
      #expect(try hosts.lab.leftovers(within: 5) == [])
    }
  }

  /// A missing bundle on host 0, another binary and too little memory on host 1, a damaged bundle on host 2.
  private func putInFaults(_ hosts: PreparedHosts, _ folder: URL) throws {
    func path(_ host: Int, _ bundle: String) -> URL { hosts.lab.folder.appending(path: "n\(host)/private/\(bundle)") }
    try FileManager.default.removeItem(at: path(0, "dense.bundle"))

    let own = URL(filePath: try Job.executable("flotilla")).resolvingSymlinksInPath()
    let other = folder.appending(path: "flotilla")
    try Executable.writeOther(than: own, to: other.filePath)
    try hosts.lab.run("on", "n1", "mount", "--bind", other.filePath, own.filePath)
    // All that a host knows of its memory it has from there.
    let memory = folder.appending(path: "meminfo").filePath
    try "MemTotal: 65536 kB\nMemFree: 1024 kB\nMemAvailable: 1024 kB\n".write(
      toFile: memory, atomically: true, encoding: .utf8)
    try hosts.lab.run("on", "n1", "mount", "--bind", memory, "/proc/meminfo")

    let name = try #require(hosts.bundles(2).filter { $0.hasPrefix("expert-") }.min())
    var bytes = try Data(contentsOf: path(2, name))
    bytes[bytes.count / 2] ^= 4
    try bytes.write(to: path(2, name))
  }

  @Test("doctor: MPI bound to an interface that leads to no other host is red before any job is started")
  func wrongInterface() throws {
    try withTemporaryFolder { folder in
      let lab = try NetworkLab(hosts: 3)
      for host in 0..<3 {
        // As container engines make them: up, with an address, and nobody else behind it.
        try lab.run("on", "n\(host)", "ip", "link", "add", "docker0", "type", "bridge")
        try lab.run("on", "n\(host)", "ip", "link", "set", "docker0", "up")
        for address in ["172.17.0.1/16", "10.99.0.\(host + 1)/24"] {
          try lab.run("on", "n\(host)", "ip", "addr", "add", address, "dev", "docker0")
        }
      }
      let alike = try examine(lab, ["--network", "172.17.0.0/16"])
      #expect(alike.status == 3 && alike.red.contains("all network"), "\(alike.told)")
      #expect(alike.text("all", "network").contains("172.17.0.1 belongs to n0, n1, n2, and MPI is bound to it"))
      let apart = try examine(lab, ["--network", "10.99.0.0/24"])
      #expect(apart.status == 3, "\(apart.told)")
      #expect(apart.red == ["n0", "n0", "n1", "n1", "n2", "n2"].map { "\($0) network" } + ["all job"])
      #expect(apart.text("n1", "network").contains("no TCP connection to n2 at 10.99.0.3, port "))
      #expect(apart.text("all", "job").hasSuffix("not started"))
      let right = try examine(lab, ["--network", "10.77.0.0/24"])
      #expect(right.redButLinks == [], "\(right.told)")
      for host in ["n0", "n1", "n2"] { #expect(right.text(host, "interface") == "MPI used eth0") }
      #expect(try lab.leftovers(within: 5) == [])
    }
  }

  private struct Examined {
    let status: Int32
    let report: JSONValue

    /// "n1 files", of each red finding.
    var red: [String] {
      findings.filter { $0["grade"]?.string == "red" }.map {
        "\($0["node"]?.string ?? "all") \($0["subject"]?.string ?? "")"
      }
    }

    /// Each finding, for people.
    var told: [String] {
      findings.map { "\($0["grade"]?.string ?? "?"): \($0["node"]?.string ?? "all"): \($0["text"]?.string ?? "?")" }
    }

    /// Speed of links is a matter of what else this machine does.
    var redButLinks: [String] { red.filter { !$0.hasSuffix(" links") } }

    func text(_ node: String, _ subject: String) -> String {
      findings.filter { ($0["node"]?.string ?? "all") == node && $0["subject"]?.string == subject }
        .compactMap { $0["text"]?.string }.joined(separator: "; ")
    }

    private var findings: [JSONValue] { report["findings"]?.array ?? [] }
  }

  private func examine(_ hosts: PreparedHosts, _ more: [String]) throws -> Examined {
    try examine(hosts.lab, [hosts.source, "--at", hosts.model] + more)
  }

  /// As somebody who is logged in on the first host asks.
  private func examine(_ lab: NetworkLab, _ more: [String]) throws -> Examined {
    let job = try Job(
      "flotilla", ["doctor", "--hostfile", lab.hostfile, "--rsh", lab.agent, "--json", "--quiet"] + more, ranks: nil,
      starter: lab.command + ["on", "n0"])
    #expect(job.isClean)
    return Examined(status: job.status, report: try StrictJSON.parse(job.output.joined(separator: "\n")))
  }
}

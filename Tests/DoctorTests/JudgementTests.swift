import Doctor
import Inference
import Nodes
import Testing

/// A fault, and the one finding that it gives beyond the green ones.
struct Fault: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let grade: Grade
  let subject: Subject
  /// Nil: of no single node.
  let node: String?
  /// Must stand in the text, and in the advice.
  let words: (text: String, advice: String)
  let put: @Sendable (inout Examination) -> Void

  init(
    _ name: String, _ grade: Grade, _ subject: Subject, node: String? = "n1", _ text: String, _ advice: String,
    _ put: @escaping @Sendable (inout Examination) -> Void
  ) {
    (testDescription, self.grade, self.subject, self.node) = (name, grade, subject, node)
    words = (text, advice)
    self.put = put
  }
}

@Suite("Judgement")
struct JudgementTests {
  @Test("Nothing wrong: green from top to bottom", arguments: [1, 2, 3, 8])
  func green(_ count: Int) {
    let diagnosis = Diagnosis(of: MadeUp.cluster(count))
    #expect(diagnosis.findings.filter { $0.grade != .green } == [] && diagnosis.worst == .green)
    #expect(!diagnosis.breaksFabric)
    let subjects = Set(diagnosis.findings.map(\.subject))
    #expect(subjects.isSuperset(of: [.reached, .flotilla, .openMPI, .memory, .files, .disk, .clock]))
    #expect(subjects.contains(.links) == (count > 1))
  }

  @Test("Each fault gives its own line and no other", arguments: nodeFaults + fileFaults + networkFaults)
  func fault(_ fault: Fault) throws {
    var examination = MadeUp.cluster()
    fault.put(&examination)
    let diagnosis = Diagnosis(of: examination)
    let wrong = diagnosis.findings.filter { $0.grade != .green }
    let finding = try #require(wrong.first, "nothing was found")
    #expect(wrong.count == 1, "\(wrong)")
    #expect(
      finding.grade == fault.grade && finding.subject == fault.subject && finding.node == fault.node, "\(finding)")
    #expect(finding.text.contains(fault.words.text), "\(finding)")
    #expect(finding.advice.contains(fault.words.advice) && !finding.advice.isEmpty, "\(finding)")
  }

  static let nodeFaults = [
    Fault("not reachable", .red, .reached, "not reachable", "ssh-copy-id") {
      $0.nodes[1] = .init(
        name: "n1", need: MadeUp.need(1), failure: .init(text: "not reachable (code 255)", hint: "ssh-copy-id n1"))
      $0.network?.measurement = nil
    },
    Fault("no program", .red, .flotilla, "none there", "copy this binary") {
      $0.nodes[1].shell?.program = nil
      $0.nodes[1].facts = nil
      $0.nodes[1].shell?.refusal = nil
      $0.network?.measurement = nil
    },
    Fault("a library is missing", .red, .flotilla, "libmpi.so.40", "apt-get install openmpi-bin") {
      $0.nodes[1].shell?.program?.version = nil
      $0.nodes[1].shell?.refusal = "error while loading shared libraries: libmpi.so.40"
      $0.nodes[1].facts = nil
      $0.network?.measurement = nil
    },
    Fault("another binary", .red, .flotilla, "another binary", "refuse to work together") {
      $0.nodes[1].shell?.program?.hash = String(repeating: "00", count: 32)
    },
    Fault("a program that gives no facts", .red, .flotilla, "gives no facts: killed", "copy this binary") {
      $0.nodes[1].facts = nil
      $0.nodes[1].shell?.refusal = "killed"
      $0.network?.measurement = nil
    },
    Fault("nobody can hash", .amber, .flotilla, "is not known", "copy") { $0.nodes[1].shell?.program?.hash = nil },
    Fault("no Open MPI", .red, .openMPI, "no mpirun", "apt-get") { $0.nodes[1].shell?.mpirun = nil },
    Fault("no orted", .red, .openMPI, "no orted", "apt-get") { $0.nodes[1].shell?.hasDaemon = false },
    Fault("another series of Open MPI", .red, .openMPI, "5.0.1, here 4.1.4", "same version") {
      $0.nodes[1].shell?.mpirun = "mpirun (Open MPI) 5.0.1"
      $0.nodes[1].facts?.mpi = "Open MPI v5.0.1, package"
    },
    Fault("another patch of Open MPI", .amber, .openMPI, "4.1.6, here 4.1.4", "same version") {
      $0.nodes[1].shell?.mpirun = "mpirun (Open MPI) 4.1.6"
      $0.nodes[1].facts?.mpi = "Open MPI v4.1.6, package"
    },
    Fault("two Open MPIs", .amber, .openMPI, "library 4.1.6", "only one") {
      $0.nodes[1].facts?.mpi = "Open MPI v4.1.6"
    },
    Fault("no vectors", .amber, .processor, "kernels scalar", "bits are the same") {
      $0.nodes[1].facts?.instructionSet = "scalar"
    },
    Fault("more ranks than cores", .amber, .ranks, "9 ranks on 8 cores", "slots=8") {
      $0.nodes[1].need.ranks = Array(1...9)
    },
    Fault("a rank over two domains", .amber, .ranks, "2 NUMA domains", "slots=2") { $0.nodes[1].facts?.domains = 2 },
    Fault("busy", .amber, .load, "7.5 on 16 threads", "top") { $0.nodes[1].facts?.load = 7.5 },
    Fault("memory taken by others", .red, .memory, "40.0 GiB needed, 39.0 GiB available", "end what else") {
      $0.nodes[1].facts?.memoryAvailable = 39 << 30
    },
    Fault("too little memory", .red, .memory, "10.0 GiB missing", "more nodes") {
      $0.nodes[1].facts?.memoryTotal = 32 << 30
      $0.nodes[1].facts?.memoryAvailable = 30 << 30
    },
    Fault("memory that just suffices", .amber, .memory, "just fits", "fewer experts") {
      $0.nodes[1].facts?.memoryAvailable = 41 << 30
    },
    Fault("a clock that goes ahead", .amber, .clock, "90.0 s ahead of", "chrony") { $0.nodes[1].clockOffset = 90 },
    Fault("a clock that is late", .amber, .clock, "90.0 s behind", "chrony") { $0.nodes[1].clockOffset = -90 },
    Fault("a governor that saves power", .amber, .governor, "powersave", "cpupower") {
      $0.nodes[1].facts?.machine.governor = "powersave"
    },
    Fault("no huge pages", .amber, .hugePages, "never", "madvise") { $0.nodes[1].facts?.machine.hugePages = "never" },
    Fault("few open files", .amber, .limits, "256 open files", "ulimit") { $0.nodes[1].facts?.fileLimit = 256 },
  ]

  static let fileFaults = [
    Fault("no model", .red, .files, "nothing at /models/m", "flotilla push") {
      $0.nodes[1].shell?.hasModel = false
      $0.nodes[1].shell?.manifest = nil
      $0.nodes[1].shell?.files = []
    },
    Fault("another model", .red, .files, "another manifest", "flotilla push") {
      $0.nodes[1].shell?.manifest = MadeUp.hash
    },
    Fault("a push that has not ended", .red, .files, "no manifest", "flotilla push") {
      $0.nodes[1].shell?.manifest = nil
    },
    Fault("a bundle is missing", .red, .files, "1 file of 2 missing: expert-001.bundle, 1.0 GiB", "flotilla push") {
      $0.nodes[1].shell?.files.removeLast()
    },
    Fault("a bundle that was cut", .red, .files, "another size than here: expert-001.bundle", "flotilla push") {
      $0.nodes[1].shell?.files[1].bytes -= 1
    },
    Fault("a damaged bundle", .red, .files, "damaged: expert-001.bundle: tensor t", "suspect disk") {
      $0.nodes[1].damages = [.init(file: "expert-001.bundle", text: "tensor t: expected a, found b")]
    },
    Fault("a full disk", .amber, .disk, "10.0 MiB free", "room") { $0.nodes[1].shell?.diskFree = 10 << 20 },
  ]

  static let networkFaults = [
    Fault("two nodes of one name", .amber, .names, node: nil, "n1, n2 all call themselves host2", "hostnamectl") {
      $0.nodes[1].facts?.hostName = "host2"
      $0.nodes[1].shell?.hostName = "host2"
      $0.network?.measurement?.ranks[1].hostName = "host2"
    },
    Fault("congestion controls differ", .amber, .congestion, node: nil, "cubic, reno", "same") {
      $0.nodes[1].facts?.machine.congestionControl = "reno"
    },
    Fault("bbr", .amber, .congestion, "bbr paces", "cubic") {
      for index in [0, 2] { $0.nodes[index].facts?.machine.congestionControl = nil }
      $0.nodes[1].facts?.machine.congestionControl = "bbr"
    },
    Fault("a range that the node has no address in", .red, .network, "no address in 10.0.1.0/24", "10.0.0.0/24") {
      $0.network = .init(range: "10.0.1.0/24", measurement: nil)
      for index in [0, 2] {
        $0.nodes[index].facts?.interfaces.append(
          NetworkInterface(name: "ib0", addresses: [MadeUp.address("10.0.1.\(index)", 24, "10.0.1.0/24")]))
      }
    },
    Fault(
      "a bridge of the same address everywhere", .amber, .network, node: nil, "172.17.0.1 belongs to n0, n1, n2",
      "--network 10.0.0.0/24"
    ) {
      for index in 0..<3 {
        $0.nodes[index].facts?.interfaces.append(
          NetworkInterface(name: "docker0", addresses: [MadeUp.address("172.17.0.1", 16, "172.17.0.0/16")]))
      }
      // The line about several networks says the same again; it is not what this is about.
      $0.nodes[1].facts?.interfaces.removeLast()
      $0.nodes[1].facts?.interfaces[1].addresses.append(MadeUp.address("172.17.0.1", 16, "10.0.0.0/24"))
      for index in [0, 2] {
        $0.nodes[index].facts?.interfaces[2].addresses[0].network = "10.0.0.0/24"
      }
    },
    Fault(
      "MPI bound to a bridge of the same address everywhere", .red, .network, node: nil,
      "172.17.0.1 belongs to n0, n1, n2, and MPI is bound to it", "--network 10.0.0.0/24"
    ) {
      $0.network?.range = "172.17.0.0/16"
      $0.network?.measurement = nil
      for index in 0..<3 {
        $0.nodes[index].facts?.interfaces.append(
          NetworkInterface(name: "docker0", addresses: [MadeUp.address("172.17.0.1", 16, "172.17.0.0/16")]))
      }
    },
    Fault(
      "a range that leads nowhere", .red, .network, "no TCP connection to n2 at 10.9.0.3, port 40000: no answer in 3 s",
      "does 10.9.0.0/16 lead to the other nodes?"
    ) {
      $0.network = .init(range: "10.9.0.0/16", measurement: nil)
      for index in 0..<3 {
        $0.nodes[index].facts?.interfaces.append(
          NetworkInterface(name: "eno2", addresses: [MadeUp.address("10.9.0.\(index + 1)", 16, "10.9.0.0/16")]))
      }
      $0.network?.connections = [
        .init(from: "n1", to: "n2", address: "10.9.0.3", port: 40_000, failure: "no answer in 3 s")
      ]
    },
    Fault(
      "only some have a second network", .amber, .network, node: nil, "only some have 10.9.0.0/16",
      "--network 10.0.0.0/24"
    ) {
      $0.nodes[1].facts?.interfaces.append(
        NetworkInterface(name: "eno2", addresses: [MadeUp.address("10.9.0.1", 16, "10.9.0.0/16")]))
    },
    Fault("no network in common", .amber, .network, node: nil, "no network that all nodes", "routers") {
      $0.nodes[1].facts?.interfaces[1].addresses = [MadeUp.address("10.2.0.1", 24, "10.2.0.0/24")]
    },
    Fault("a name that stands for the loopback", .red, .network, "takes n2 for itself: 127.0.1.1", "/etc/hosts") {
      $0.nodes[1].facts?.routes[1] = Route(peer: "n2", address: "127.0.1.1", interface: "lo")
    },
    Fault("a name that nobody knows", .amber, .network, "does not know the name n2", "/etc/hosts") {
      $0.nodes[1].facts?.routes[1] = Route(peer: "n2", address: nil, interface: nil)
    },
    Fault("no way", .red, .network, "has no way to n2", "ip route") {
      $0.nodes[1].facts?.routes[1].interface = nil
    },
    Fault("a wireless interface", .amber, .network, "a wireless one", "cable") {
      $0.nodes[1].facts?.interfaces[1].isWireless = true
      $0.network = nil
    },
    Fault("the job failed", .red, .job, node: nil, "mpirun over all nodes failed: no luck", "try again") {
      $0.network = .init(range: nil, measurement: nil, failure: .init(text: "no luck", hint: "try again"))
    },
    Fault("a firewall", .red, .network, "no TCP connection to n2, port 40000: no answer in 3 s", "firewall") {
      $0.network?.connections = [
        .init(from: "n0", to: "n2", port: 40_000, failure: nil),
        .init(from: "n0", to: "n1", port: 40_001, failure: ConnectionTest.unknownName),
        .init(from: "n1", to: "n2", port: 40_000, failure: "no answer in 3 s"),
      ]
    },
    Fault("messages over the loopback", .red, .interface, "MPI used lo, the loopback", "--network") {
      $0.network?.measurement?.ranks[1].carried[0].name = "lo"
    },
    Fault("two interfaces at once", .amber, .interface, "several interfaces: eno1, eno2", "--network") {
      $0.network?.measurement?.ranks[1].carried.append(InterfaceCount(name: "eno2", bytes: 400 << 20))
    },
    Fault("a faster interface that lies idle", .amber, .interface, "eno2 has 10 Gbit/s", "--network 10.0.0.0/24") {
      $0.nodes[1].facts?.interfaces.append(
        NetworkInterface(
          name: "eno2", addresses: [MadeUp.address("10.0.0.99", 24, "10.0.0.0/24")], bitsPerSecond: 10_000_000_000))
    },
    Fault("a link that lags", .amber, .links, "to n2: 1.0 ms, where the others have 50 us", "ethtool") {
      $0.network?.measurement?.links[3].latencySeconds = 1e-3
    },
    Fault("a link far below others", .amber, .links, "to n2: 240 Mbit/s, where the others have 920 Mbit/s", "ethtool") {
      $0.nodes[1].facts?.interfaces[1].bitsPerSecond = nil
      $0.network?.measurement?.links[3].bytesPerSecond = 30e6
    },
    Fault("a link that is next to dead", .red, .links, "to n2: 8 Mbit/s", "ethtool") {
      $0.nodes[1].facts?.interfaces[1].bitsPerSecond = nil
      $0.network?.measurement?.links[3].bytesPerSecond = 1e6
    },
    Fault(
      "less than the interface promises", .amber, .links, "at worst 400 Mbit/s over an interface of 1 Gbit/s",
      "switch"
    ) { $0.network?.measurement?.links[3].bytesPerSecond = 50e6 },
    Fault("slow everywhere", .amber, .links, node: nil, "94 Mbit/s and 50 us", "ethtool") {
      for index in 0..<3 { $0.nodes[index].facts?.interfaces[1].bitsPerSecond = 100_000_000 }
      for index in 0..<6 { $0.network?.measurement?.links[index].bytesPerSecond = 11.7e6 }
    },
  ]

  @Test("A disk that cannot take what is missing is one line more")
  func room() {
    var examination = MadeUp.cluster()
    examination.nodes[1].shell?.files.removeLast()
    examination.nodes[1].shell?.diskFree = 1000 << 20
    let red = Diagnosis(of: examination).findings.filter { $0.grade == .red }
    #expect(red.map(\.subject) == [.files, .disk])
    #expect(red.last?.advice.contains("24.0 MiB") == true, "\(red)")
  }

  @Test("Of a shape: the disk is held against the bundles that a node's ranks will read")
  func roomForBundles() {
    var examination = MadeUp.cluster()
    examination.model?.path = nil
    for index in 0..<3 { examination.nodes[index].need.files = [] }
    examination.nodes[1].need.diskBytes = 120 << 30
    examination.nodes[2].need.diskBytes = 60 << 30
    let disks = Diagnosis(of: examination).findings.filter { $0.subject == .disk }
    #expect(disks.map(\.grade) == [.green, .red, .green])
    #expect(
      disks.map(\.text) == [
        "100 GiB free", "100 GiB free, 120 GiB of bundles for its ranks",
        "100 GiB free, 60.0 GiB of bundles for its ranks",
      ])
    #expect(disks[1].advice.contains("20.0 GiB") && disks[1].advice.contains("--at"), "\(disks[1])")
  }

  @Test("What keeps ranks apart is told from what is wrong on a node")
  func fabric() {
    for fault in Self.nodeFaults + Self.fileFaults + Self.networkFaults {
      var examination = MadeUp.cluster()
      fault.put(&examination)
      let isFabric = fault.grade == .red && ![.memory, .files, .disk].contains(fault.subject)
      #expect(Diagnosis(of: examination).breaksFabric == isFabric, "\(fault.testDescription)")
    }
  }

  @Test("Without InfiniBand's bytes on any interface: said, and no fault")
  func infiniBand() {
    var examination = MadeUp.cluster()
    for rank in 0..<3 { examination.network?.measurement?.ranks[rank].carried = [.init(name: "eno1", bytes: 9000)] }
    let diagnosis = Diagnosis(of: examination)
    #expect(diagnosis.worst == .green)
    #expect(diagnosis.findings.count { $0.text.contains("no IP interface") } == 3)
  }

  @Test("Versions of Open MPI")
  func versions() {
    #expect(MPIVersion("mpirun (Open MPI) 4.1.4")?.numbers == [4, 1, 4])
    #expect(MPIVersion("Open MPI v5.0.0rc12, package: x 1.2")?.numbers == [5, 0, 0])
    #expect(MPIVersion("mpirun") == nil && MPIVersion("") == nil)
  }

  @Test("Ranges of addresses")
  func ranges() throws {
    let range = try #require(NetworkRange("10.0.4.0/22"))
    #expect(range.contains("10.0.7.255") && !range.contains("10.0.8.0") && !range.contains("fe80::1"))
    #expect(try #require(NetworkRange("0.0.0.0/0")).contains("203.0.113.1"))
    for text in ["10.0.0.0", "10.0.0/8", "10.0.0.0/33", "10.0.0.256/8", "/", ""] { #expect(NetworkRange(text) == nil) }
  }
}

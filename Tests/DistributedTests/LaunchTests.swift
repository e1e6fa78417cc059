import ExpertParallel
import Foundation
import Glibc
import TestSupport
import Testing

/// `flotilla launch` and `flotilla chat`, at a pseudo-terminal and without one.
@Suite("Launch", .serialized)
struct LaunchTests {
  static let sum = ["generate", "-p", "What is 478 + 256?", "--temp", "0"]

  private func launch(_ arguments: [String], _ command: [String]) throws -> Job {
    try flotilla(["launch"] + arguments + ["--"] + command, ranks: nil)
  }

  @Test("The text is that of one process, wherever the coordinator runs", arguments: [0, 2])
  func text(coordinator: Int) throws {
    let alone = try flotilla(Self.sum + ["--quiet"], ranks: nil)
    let job = try launch(["-n", "3"], Self.sum + ["--coordinator-rank", "\(coordinator)"])
    #expect(job.status == 0 && job.isClean, "\(job.errors)")
    #expect(job.output == alone.output)
    #expect(job.errors.contains { $0.contains("on 3 ranks") }, "\(job.errors)")
  }

  @Test("Standard input reaches the coordinator on rank 2, which mpirun would not give it")
  func input() throws {
    let job = try Job(
      "flotilla",
      ["launch", "-n", "3", "-q", "--", "generate", "-f", "-", "--coordinator-rank", "2", "--temp", "0", "--quiet"],
      ranks: nil, input: Array("What is 478 + 256?".utf8))
    #expect(job.status == 0, "\(job.errors)")
    #expect(job.output.last == "734")
  }

  @Test("What is wrong with the command shows at once, with its own exit code, and nothing is started")
  func wrong() throws {
    for (arguments, text) in [
      (["launch", "-n", "2", "--", "generate"], "no prompt"),
      (["launch", "-n", "2", "--", "inspect", "x"], "inspect runs by itself"),
      (["launch", "-n", "2", "--", "generat", "-p", "x"], "Did you mean generate?"),
      (["launch", "-n", "2"], "it stands behind --"),
      (["launch", "-n", "2", "--mpirun", "/no/mpirun", "--", "generate", "-p", "x"], "install openmpi-bin"),
      (["launch", "-n", "2", "--mpirun", "/bin/true", "--", "generate", "-p", "x"], "expected Open MPI 4 or later"),
      (["launch", "-n", "2", "--", "generate", "/no/model", "-p", "x"], "/no/model"),
      (["launch", "--hosts", "a,,b", "--", "generate", "-p", "x"], "--hosts: expected names"),
      (["launch", "--hosts", "a,b", "--rsh", "/bin/false", "--", "generate", "-p", "x"], "error: a: not reachable"),
      (["launch", "--hosts", "a,b", "--rsh", "/bin/false", "--", "generate", "-p", "x"], "error: b: not reachable"),
      (
        ["launch", "--hosts", "localhost,127.0.0.1", "--", "generate", "-p", "x"],
        "--hosts: expected each machine once, found localhost and 127.0.0.1, which are the same; localhost:2 for two"
      ),
    ] {
      let job = try flotilla(arguments, ranks: nil)
      #expect(job.status == 2, "\(arguments): \(job.errors)")
      #expect(job.errors.filter { $0.contains(text) }.count == 1, "\(job.errors)")
      #expect(job.output == [])
    }
  }

  @Test("Nodes are asked over the remote shell, each rank runs, and --dry-run starts nothing")
  func nodes() throws {
    try withTemporaryFolder { folder in
      // Every node is this machine; what is run there leaves a line.
      let log = folder.appending(path: "log").filePath
      let shell = try Executable.write(
        "#!/bin/sh\necho \"$1\" >> \(log)\nshift\nexec sh -c \"$*\"\n", to: folder.appending(path: "shell").filePath)
      let nodes = ["--hosts", "127.0.0.2:2,127.0.0.3", "--rsh", shell]
      let dry = try launch(nodes + ["--dry-run"], Self.sum)
      #expect(dry.status == 0, "\(dry.errors)")
      let line = try #require(dry.output.first)
      for part in ["--host 127.0.0.2:2,127.0.0.3:1", "plm_rsh_agent \(shell)", "oob_tcp_keepalive_time 1"] {
        #expect(line.contains(part), "\(line)")
      }
      #expect(!line.contains("pml") && !line.contains("--mca btl "), "nothing forces TCP")
      let asked = try String(contentsOfFile: log, encoding: .utf8)
      #expect(asked.split(separator: "\n").sorted() == ["127.0.0.2", "127.0.0.3"])
    }
  }

  @Test("Ranks for which the nodes have no place: a note says how many are started")
  func surplus() throws {
    for (ranks, isSaid) in [("5", true), ("2", false)] {
      let arguments = ["--hosts", "localhost:2", "-n", ranks, "--dry-run"]
      let loud = try launch(arguments, Self.sum)
      #expect(loud.status == 0 && loud.output[0].contains(" -n 2 "), "\(loud.output)")
      #expect(loud.errors.contains("note: 5 ranks on 2 slots of localhost: 2 are started") == isSaid, "\(loud.errors)")
      #expect(try launch(arguments + ["-q"], Self.sum).errors == [])
    }
  }

  @Test("The smallest node decides whether ranks share processors")
  func smallestNode() throws {
    try withTemporaryFolder { folder in
      // The second node says that it has one processor.
      let shell = try Executable.write(
        """
        #!/bin/sh
        [ "$1" = 127.0.0.3 ] && PATH=\(folder.filePath)/one:$PATH
        shift
        exec sh -c "$*"
        """, to: folder.appending(path: "shell").filePath)
      try FileManager.default.createDirectory(at: folder.appending(path: "one"), withIntermediateDirectories: true)
      _ = try Executable.write("#!/bin/sh\necho 1\n", to: folder.appending(path: "one/nproc").filePath)
      for (hosts, isShared) in [("127.0.0.2:1,127.0.0.3:1", false), ("127.0.0.2:1,127.0.0.3:2", true)] {
        let dry = try launch(["--hosts", hosts, "--rsh", shell, "--dry-run"], Self.sum)
        #expect(dry.status == 0 && dry.output.first?.contains("--oversubscribe") == isShared, "\(dry.output)")
      }
    }
  }

  @Test("In a batch system's job its nodes are used, with the ranks and the network that are given")
  func allocation() throws {
    let dry = try Job(
      "flotilla", ["launch", "-np", "3", "--network", "10.0.0.0/24", "--dry-run", "--"] + Self.sum, ranks: nil,
      environment: ["SLURM_JOB_ID": "1"])
    let line = dry.output.first ?? ""
    #expect(dry.status == 0 && line.contains(" -n 3 ") && !line.contains("--host"), "\(line), \(dry.errors)")
    #expect(line.contains("btl_tcp_if_include 10.0.0.0/24"), "\(line)")
  }

  @Test("A rank that is killed ends the job with one message that names it, and exit code 3")
  func killed() throws {
    try withBusyModel { model, _ in
      let command = ["generate", model, "-p", "a", "--raw", "--ignore-eos", "--temp", "0"]
      let job = try flotilla(["launch", "-n", "3", "-q", "--"] + command, ranks: nil) { job in
        guard !job.output.isEmpty, let victim = job.process(ofRank: 2) else { return false }
        kill(victim, SIGKILL)
        return true
      }
      #expect(job.status == 3 && job.isClean)
      #expect(job.complaints.count == 1 && job.complaints[0].contains("rank 2 on host"), "\(job.errors)")
      #expect(job.errors.contains { $0.contains("rank 2 on host") && $0.contains("signal 9") }, "\(job.errors)")
      #expect(!job.errors.contains { $0.contains("mpirun noticed") || $0.hasPrefix("----") }, "\(job.errors)")
    }
  }

  // MARK: At a terminal

  @Test("Ctrl-C ends generate in order with 130, and the terminal is as it was", arguments: [0, 2])
  func interrupt(coordinator: Int) throws {
    try withBusyModel { model, _ in
      let screen = try Screen(
        "flotilla",
        [
          "launch", "-n", "3", "--", "generate", model, "-p", "a", "--raw", "--ignore-eos", "--temp", "0",
          "--coordinator-rank", "\(coordinator)",
        ])
      // The status line appears after a second, with the rate and the slowest rank.
      try screen.wait(for: "decode: ")
      try screen.wait(for: "slowest rank")
      screen.type("\u{3}")
      try screen.wait(for: "Throughput")
      #expect(try screen.end() == 130)
      #expect(screen.survivors() == 0)
      // The region is given back after the last status.
      let text = screen.text
      let begin = try #require(text.range(of: "\u{1B}[1;23r", options: .backwards))
      #expect(text[begin.upperBound...].contains("\u{1B}[r"))
    }
  }

  @Test("The status line never touches the text")
  func status() throws {
    try withBusyModel { model, _ in
      let command = ["generate", model, "-p", "a", "--raw", "--ignore-eos", "--temp", "0", "-n", "1200", "--quiet"]
      func picture(_ arguments: [String]) throws -> (rows: [String], screen: Screen) {
        let screen = try Screen("flotilla", arguments)
        #expect(try screen.end(limit: 60) == 0)
        var picture = TerminalPicture()
        picture.show(screen.shown)
        return (Array(picture.all.reversed().drop { $0.isEmpty }.reversed()), screen)
      }
      let (plain, _) = try picture(command)
      let (launched, screen) = try picture(["launch", "-n", "2", "--"] + command)
      #expect(plain.count > 5 && launched == plain)
      #expect(screen.text.contains("decode: "))
    }
  }

  @Test("What is loaded is counted in bytes, where it takes long enough to be shown")
  func loading() throws {
    try withBusyModel { model, _ in
      let screen = try Screen(
        "flotilla", ["generate", model, "--quant", "q4_K", "-t", "1", "-p", "a", "--raw", "-n", "1"],
        environment: ["FLOTILLA_ISA": "scalar"])
      #expect(try screen.end() == 0)
      let shown = screen.text.components(separatedBy: "Loading: ").dropFirst().map { $0.prefix { $0 != "\r" } }
      #expect(shown.allSatisfy { $0.contains("B of ") && $0.contains("iB") }, "\(shown)")
    }
  }

  @Test("A chat at the launcher's terminal: editing, reasoning dim, commands, Ctrl-C, Ctrl-D", arguments: [0, 2])
  func chat(coordinator: Int) throws {
    let screen = try Screen(
      "flotilla",
      ["launch", "-n", "3", "--", "chat", "--timeout", "1", "--temp", "0", "--coordinator-rank", "\(coordinator)"])
    try screen.wait(for: "> ")
    // Longer than the time after which a silent rank is lost: heartbeats go on while one types.
    usleep(2_500_000)
    screen.type("Wxhat is 478 + 256?\u{1B}[H\u{1B}[C\u{1B}[3~\r")
    try screen.wait(for: "What is 478 + 256?")
    try screen.wait(for: "\u{1B}[2m8+6+0=14")
    try screen.wait(for: "734")
    try screen.wait(for: "> ")
    // The built-in model takes each question by itself.
    screen.type("What is 9876 + 1234?\r")
    try screen.wait(for: "11110")
    try screen.wait(for: "> ")
    screen.type("/stats\r")
    try screen.wait(for: "more from the cache); answer: ")
    screen.type("/nonsense\r")
    try screen.wait(for: "no such command")
    for word in ["exit", " Quit "] {
      screen.type(word + "\r")
      try screen.wait(for: "/quit ends; so does Ctrl-D.")
    }
    // Ctrl-C at the prompt drops the line and goes on; the arrow up brings the question back.
    screen.type("abc\u{3}/reset\r")
    try screen.wait(for: "begins anew")
    screen.type(String(repeating: "\u{1B}[A", count: 6) + "\r")
    try screen.wait(for: "11110")
    try screen.wait(for: "> ")
    screen.type("\u{4}")
    #expect(try screen.end() == 0)
    #expect(screen.survivors() == 0)
  }

  @Test("Ctrl-C stops an answer and not the chat")
  func stopsAnswer() throws {
    try withBusyModel { model, folder in
      // Random weights and a real template: the model talks without end.
      let abacus = Fixtures.root.deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Sources/Inference/Resources/Abacus")
      for name in ["tokenizer.json", "tokenizer_config.json"] {
        let target = folder.appending(path: "mini/\(name)")
        try? FileManager.default.removeItem(at: target)
        try FileManager.default.copyItem(at: abacus.appending(path: name), to: target)
      }
      for launcher in [[], ["launch", "-n", "2", "--"]] {
        let screen = try Screen(
          "flotilla", launcher + ["chat", model, "--temp", "0", "-t", "1"], environment: ["FLOTILLA_ISA": "scalar"])
        try screen.wait(for: "> ")
        screen.type("Talk.\r")
        // The answer has begun.
        try screen.wait(for: "\u{1B}[2m")
        screen.type("\u{3}")
        try screen.wait(for: "(interrupted)")
        try screen.wait(for: "> ")
        screen.type("/quit\r")
        #expect(try screen.end() == 0)
        #expect(screen.survivors() == 0)
      }
    }
  }
}

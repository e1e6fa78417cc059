import Foundation
import Glibc
import Inference
import TestSupport
import Testing

@Suite("Started again by itself", .serialized)
struct RestartTests {
  private static let prompts = [
    "-p", "a", "-p", "bcd", "--raw", "--ignore-eos", "-n", "700", "--temp", "1.1", "--top-p", "0.95", "--seed", "7",
  ]

  private func launch(
    _ arguments: [String], _ command: [String], meanwhile: (Job.Running) -> Bool = { _ in true }
  ) throws -> Job {
    try flotilla(["launch"] + arguments + ["--", "generate"] + command, ranks: nil, limit: 300, meanwhile: meanwhile)
  }

  /// Kills a rank as soon as there are so many bytes of output.
  private func kills(rank: Int, at count: Int) -> (Job.Running) -> Bool {
    { job in
      guard job.output.reduce(0, { $0 + $1.utf8.count + 1 }) >= count, let victim = job.process(ofRank: rank) else {
        return false
      }
      kill(victim, SIGKILL)
      return true
    }
  }

  private func temporaryJournals() -> Set<String> {
    let folder = FileManager.default.temporaryDirectory
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.filePath)) ?? []
    return Set(names.filter { $0.hasPrefix("flotilla-") && $0.hasSuffix(".journal") })
  }

  @Test("A rank killed at a random token: the text of an undisturbed run, and exit code 0", arguments: [0, 2])
  func killed(rank: Int) throws {
    try withBusyModel { model, _ in
      let whole = try flotilla(["generate", model, "--quiet"] + Self.prompts, ranks: nil)
      let before = temporaryJournals()
      let job = try launch(
        ["-n", "3", "--restart", "2"], [model, "--coordinator-rank", "0"] + Self.prompts,
        meanwhile: kills(rank: rank, at: .random(in: 1...1500)))
      #expect(job.status == 0 && job.isClean, "\(job.errors)")
      #expect(job.output == whole.output)
      let told = job.errors.filter { $0.contains("restart 1 of 2 goes on from token ") }
      #expect(told.count == 1, "\(job.errors)")
      #expect(
        told.first?.contains(#/^\d\d:\d\d:\d\d lost: rank \d on host .*; no node is left out; /#) == true, "\(told)")
      #expect(!job.errors.contains { $0.contains("resumed behind") }, "\(job.errors)")
      #expect(temporaryJournals() == before)
    }
  }

  @Test("Records of JSON are whole and come once; the journal that was asked for is complete", arguments: [0, 1])
  func json(rank: Int) throws {
    try withBusyModel { model, folder in
      let journal = folder.appending(path: "journal").filePath
      let whole = try flotilla(["generate", model, "--quiet", "--json"] + Self.prompts, ranks: nil)
      let steps = Int.random(in: 5...300)
      let job = try launch(
        ["-n", "2", "-q", "--restart", "1"], [model, "--json", "-q", "--journal", journal] + Self.prompts,
        meanwhile: { job in
          let lines = (FileManager.default.contents(atPath: journal) ?? Data()).count { $0 == 10 }
          guard lines >= 3 + steps, let victim = job.process(ofRank: rank) else { return false }
          kill(victim, SIGKILL)
          return true
        })
      #expect(job.status == 0 && job.isClean, "\(job.errors)")
      #expect(job.output == whole.output)
      let kept = try Journal(path: journal)
      #expect(kept.isComplete && kept.generatedTokens == 1400)
    }
  }

  @Test("No restart is left: the message and exit code of the loss, and the journal stays")
  func exhausted() throws {
    try withBusyModel { model, _ in
      let whole = try flotilla(["generate", model, "--quiet"] + Self.prompts, ranks: nil)
      let (first, second) = (kills(rank: 1, at: 1), kills(rank: 1, at: 400))
      var kills = 0
      let job = try launch(
        ["-n", "2", "-q", "--restart", "1"], [model, "-q"] + Self.prompts,
        meanwhile: { job in
          // The second one is of the job that was started again.
          if kills == 0 ? first(job) : kills == 1 && second(job) { kills += 1 }
          return kills == 2
        })
      #expect(job.status == 3 && job.isClean, "\(job.errors)")
      #expect(job.complaints.last?.contains("rank 1 on host") == true, "\(job.errors)")
      let note = try #require(job.errors.first { $0.hasPrefix("note: what was generated is in ") }, "\(job.errors)")
      let path = String(note.dropFirst(31).prefix { $0 != ":" })
      defer { unlink(path) }
      let resumed = try launch(["-n", "2", "-q"], ["-q", "--resume", path])
      #expect(resumed.status == 0 && resumed.output == whole.output, "\(resumed.errors)")
    }
  }

  @Test("What is wrong with the command, and Ctrl-C, start nothing again")
  func notRestarted() throws {
    for (arguments, text) in [
      (["-n", "2", "--restart", "3", "--", "generate", "/no/model", "-p", "x"], "/no/model"),
      (["-n", "2", "--restart", "3", "--", "bench"], "--restart: expected generate, found bench"),
      (
        ["-n", "2", "--restart", "1", "--", "generate", "-p", "x", "--record-routing", "/no/x"],
        "--restart: expected generate without --record-routing"
      ),
      (["-n", "2", "--restart", "1001", "--", "generate", "-p", "x"], "--restart: expected 0 to 1000, found 1001"),
    ] {
      let job = try flotilla(["launch"] + arguments, ranks: nil)
      #expect(job.status == 2 && job.output == [], "\(job.errors)")
      #expect(job.complaints.count == 1 && job.complaints[0].contains(text), "\(job.errors)")
      #expect(!job.errors.contains { $0.contains("goes on from token") })
    }
    try withBusyModel { model, _ in
      let before = temporaryJournals()
      let job = try launch(
        ["-n", "2", "--restart", "3"], [model] + Self.prompts,
        meanwhile: { job in
          guard !job.output.isEmpty else { return false }
          kill(job.process, SIGINT)
          return true
        })
      #expect(job.status == 130 && job.isClean, "\(job.errors)")
      #expect(!job.errors.contains { $0.contains("goes on from token") }, "\(job.errors)")
      #expect(temporaryJournals() == before)
    }
  }

  // MARK: Nodes

  private func script(_ name: String, _ text: String, in folder: URL) throws -> String {
    try Executable.write("#!/bin/sh\n" + text, to: folder.appending(path: name).filePath)
  }

  @Test("A node that does not answer any more is left out, with its roles; the text is the same")
  func leftOut() throws {
    try withBusyModel { model, folder in
      let (dead, log) = (folder.appending(path: "dead").filePath, folder.appending(path: "log").filePath)
      // Every node is this machine; n1 answers until it is dead.
      let shell = try script(
        "shell", "[ -e '\(dead)' ] && [ \"$1\" = n1 ] && exec sleep 60\nshift\nexec sh -c \"$*\"\n", in: folder)
      let whole = try flotilla(["generate", model, "--quiet"] + Self.prompts, ranks: nil)
      // All ranks of all nodes start here.
      let mpirun = try script(
        "mpirun",
        """
        [ "$1" = --version ] && exec mpirun --version
        n=0
        for word; do
          shift
          if [ "$last" = --host ]; then
            printf '%s\\n' "$word" >>'\(log)'
            n=$(printf '%s\\n' "$word" | tr , '\\n' | wc -l)
          elif [ "$word" != --host ]; then
            set -- "$@" "$word"
          fi
          last=$word
        done
        exec mpirun --oversubscribe -n "$n" "$@"
        """, in: folder)
      let kills = kills(rank: 1, at: 50)
      let job = try launch(
        ["--hosts", "n0:1,n1:1,n2:1", "--rsh", shell, "--mpirun", mpirun, "--restart", "1", "-q"],
        [model, "-q", "--coordinator-rank", "2"] + Self.prompts,
        meanwhile: { job in
          guard kills(job) else { return false }
          _ = FileManager.default.createFile(atPath: dead, contents: nil)
          return true
        })
      #expect(job.status == 0 && job.isClean, "\(job.errors)")
      #expect(job.output == whole.output)
      #expect(try String(contentsOfFile: log, encoding: .utf8) == "n0:1,n1:1,n2:1\nn0:1,n2:1\n")
      #expect(
        job.errors.contains { $0.contains("; left out, without an answer: n1; restart 1 of 1 ") }, "\(job.errors)")
    }
  }

  @Test("A node that takes the command and never connects back ends the launch, with what to do")
  func hangs() throws {
    try withTemporaryFolder { folder in
      let shell = try script(
        "shell", "shift\ncase $* in *orted*) exec sleep 100 ;; esac\nexec sh -c \"$*\"\n", in: folder)
      let job = try launch(
        ["--hosts", "n0:1,n1:1", "--rsh", shell, "--start-limit", "3", "--restart", "2"], ["-p", "x"])
      #expect(job.status == 3 && job.isClean, "\(job.errors), \(job.survivors)")
      #expect(job.seconds < 30)
      // mpirun may have warned meanwhile: its words follow then.
      let complaint = "error: the ranks had not found each other 3 s after mpirun was started"
      #expect(job.complaints == [complaint] || job.complaints == [complaint + ":"], "\(job.errors)")
      #expect(job.errors.contains { $0.hasPrefix("hint: a node takes the remote shell's command and cannot connect") })
      #expect(!job.errors.contains { $0.contains("goes on from token") })
    }
  }

  @Test("--program is compared with the program that it names, not with this one")
  func program() throws {
    try withTemporaryFolder { folder in
      let shell = try script("shell", "shift\nexec sh -c \"$*\"\n", in: folder)
      let other = try script("flotilla", "exit 1\n", in: folder)
      let arguments = ["--hosts", "n0:1,n1:1", "--rsh", shell, "--dry-run", "--program"]
      let job = try launch(arguments + [other], ["-p", "x"])
      #expect(job.status == 0 && job.output.first?.contains(" \(other) generate -p x") == true, "\(job.errors)")
      let absent = try launch(arguments + ["/no/flotilla"], ["-p", "x"])
      #expect(absent.status == 2, "\(absent.errors)")
      #expect(absent.complaints == ["error: /no/flotilla on n0, n1: expected one program, found nothing"])
    }
  }
}

import Foundation
import Glibc
import TestSupport
import Testing

/// A launcher waits for many things, and for none of them too long.
@Suite("Launch waits for the right things", .serialized)
struct LaunchPatienceTests {
  @Test("Ctrl-C at an answer is forgiven: long after it the chat goes on, and SIGTERM ends it")
  func forgiven() throws {
    let screen = try Screen("flotilla", ["launch", "-n", "2", "--", "chat", "--temp", "0"])
    try screen.wait(for: "> ")
    screen.type("What is 9876 + 8765?\r")
    try screen.wait(for: "6+5")
    screen.type("\u{3}")
    try screen.wait(for: "> ")
    // The patience with a job that was told to end.
    sleep(17)
    screen.type("What is 478 + 256?\r")
    try screen.wait(for: "734")
    try screen.wait(for: "> ")
    kill(screen.process, SIGTERM)
    #expect(try screen.end() == 130)
    #expect(screen.survivors() == 0)
  }

  @Test("mpirun that waits for a frozen node is killed five seconds after the coordinator has said why it ends")
  func frozen() throws {
    try withTemporaryFolder { folder in
      // As mpirun with a daemon that neither answers nor goes away.
      let mpirun = try Executable.write(
        "#!/bin/sh\n[ \"$1\" = --version ] && exec mpirun --version\nmpirun --oversubscribe \"$@\"\nexec sleep 100\n",
        to: folder.appending(path: "mpirun").filePath)
      let job = try flotilla(
        ["launch", "-n", "2", "--mpirun", mpirun, "--", "generate", "/no/model", "-p", "x"], ranks: nil)
      #expect(job.status == 3 && job.isClean, "\(job.errors), \(job.survivors)")
      #expect(job.complaints.count == 1 && job.complaints[0].contains("/no/model"), "\(job.errors)")
      #expect((5..<20).contains(job.seconds), "\(job.seconds)")
    }
  }

  @Test("A reader that stops for a while keeps the launcher from nothing: Ctrl-C ends the job, with nothing left")
  func stalled() throws {
    try withTemporaryFolder { folder in
      let pipe = folder.appending(path: "pipe").filePath
      #expect(mkfifo(pipe, 0o600) == 0)
      let reader = open(pipe, O_RDONLY | O_NONBLOCK)
      defer { close(reader) }
      // Each line has all log-probabilities of 60 tokens: more than pipes and sockets hold.
      let prompts = (0..<40).flatMap { ["-p", "\($0)"] }
      let command =
        ["generate", "--raw", "--ignore-eos", "-n", "60", "--json", "-q", "--top-logprobs", "20"] + prompts
      var begin: ContinuousClock.Instant?
      let job = try Job(
        "flotilla", ["launch", "-n", "2", "-q", "--"] + command, ranks: nil,
        starter: ["sh", "-c", "exec \"$0\" \"$@\" >'\(pipe)'"],
        meanwhile: { job in
          if begin == nil { begin = .now }
          guard begin!.duration(to: .now) > .seconds(6) else { return false }
          kill(job.process, SIGINT)
          return true
        })
      #expect(job.status == 130 && job.isClean, "\(job.status): \(job.errors), \(job.survivors)")
      #expect(job.seconds < 40, "\(job.seconds)")
    }
  }

  @Test("A reader that stops for a while gets everything in the end")
  func late() throws {
    let alone = try flotilla(LaunchTests.sum + ["--quiet"], ranks: nil)
    let job = try Job(
      "flotilla", ["launch", "-n", "2", "-q", "--"] + LaunchTests.sum + ["--quiet"], ranks: nil,
      starter: ["sh", "-c", "\"$0\" \"$@\" | { sleep 4; cat; }"])
    #expect(job.output == alone.output && !alone.output.isEmpty, "\(job.errors)")
  }
}

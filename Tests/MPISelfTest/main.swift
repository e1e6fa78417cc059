import ExpertParallel
import Glibc
import MessagePassing

// mpirun -n N mpi-selftest COMMAND [--name value …]
let options = Options(CommandLine.arguments)
guard let command = commands[options.command] else {
  let known = commands.keys.sorted().joined(separator: ", ")
  MPISession.complain("mpi-selftest: unknown command '\(options.command)'; one of \(known)")
  exit(64)
}
do {
  let session = try MPISession.start()
  for path in session.sharedSegments { say("segment: \(path)") }
  let exchange = try MPIExchange(
    communicator: session.world, hub: options["hub", default: 0],
    timeout: .milliseconds(options["timeout-ms", default: 4000]), doorbells: session.doorbells)
  do {
    try command(Trial(session: session, exchange: exchange, options: options))
    try exchange.farewell()
  } catch let lost as RankLost {
    exchange.abandon(reason: "rank \(lost.rank) on \(lost.host) silent for \(lost.silence) s", exitCode: 3)
  } catch {
    exchange.abandon(reason: "\(error)", exitCode: 4)
  }
  try session.finalize()
  say("finished: \(exchange.rank)")
} catch {
  MPISession.complain("\(error)")
  MPISession.leaveAfterFault(exitCode: 5)
}

/// One line in one write, past all buffers: lines of several ranks do not mix.
func say(_ text: String) {
  var line = text + "\n"
  line.withUTF8 { _ = write(STDOUT_FILENO, $0.baseAddress, $0.count) }
}

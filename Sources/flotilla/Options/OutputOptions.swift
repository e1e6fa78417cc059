import ArgumentParser
import Foundation
import Inference
import Reporting

/// What a command says, and how.
struct OutputOptions: ParsableArguments {
  @Flag(help: "JSON lines instead of text.")
  var json = false

  @Option(
    help: """
      Colors: auto, always or never. auto means on a terminal, without NO_COLOR, and not under mpirun, where \
      standard output always looks like a terminal.
      """)
  var color = ColorChoice.auto

  @Option(
    help: ArgumentHelp("Append a record of the run, one line of JSON; until its end, how far it is.", valueName: "file")
  )
  var record: String?

  @Option(
    help: ArgumentHelp(
      "Write which experts ran for each token to a new file, for flotilla report --routing and simulate --replay.",
      valueName: "file"))
  var recordRouting: String?

  @Flag(
    name: .shortAndLong, help: "Nothing but the result: no progress, no report (of simulate the report is the result).")
  var quiet = false

  func validate() throws {
    if record?.isEmpty == true { throw ValidationError("--record: expected a file name, found nothing.") }
    if let recordRouting, recordRouting.isEmpty || FileManager.default.fileExists(atPath: recordRouting) {
      throw ValidationError(
        "--record-routing: expected the name of a new file, found "
          + (recordRouting.isEmpty ? "nothing." : "\(recordRouting) there already."))
    }
  }

  /// Begins the file of `--record-routing`, on the coordinator.
  ///
  /// - Throws: `RoutingRecordError`.
  func recordRouting(of session: RunSession) throws {
    guard let recordRouting, let engine = session.engine else { return }
    engine.routing = try RoutingRecorder(RoutingOutput(path: recordRouting), of: session)
  }

  var terminal: Terminal { Terminal(1, color: color) }

  /// The file of `--record`, before the run.
  func recordFile() throws -> RecordFile? {
    try record.map { path throws(RecordError) in try RecordFile(path: path) }
  }
}

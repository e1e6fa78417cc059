import Inference
import Reporting

/// The coordinator's work once its engine has all requests: generates until they are finished or somebody stops it,
/// shows what comes, and keeps it.
struct GenerationRun {
  let session: RunSession
  let engine: Engine
  let printer: any GenerationPrinter
  let journal: JournalWriter?
  let record: RecordOutput?

  func perform() throws {
    // A step may take longer than those wait who want us to end.
    engine.model.mayGoOn = { if Fleet.isInterrupted { throw Interrupted() } }
    let isKept = record != nil || printer.showsRecord
    engine.hashesLogits = isKept
    do {
      try generate()
    } catch {
      // What ends the run is the news, not that the disk fails too.
      try? journal?.flush()
      throw error
    }
    try journal?.flush()
    let finished = try RunRecord(of: session, isKept: isKept)
    try printer.end(finished)
    try record?.append(finished)
  }

  private func generate() throws {
    while !engine.isIdle {
      LauncherLink.report(session)
      let events = try nextEvents()
      // Kept before it is shown: nobody has seen what a journal does not know.
      try journal?.append(events)
      for event in events { try printer.show(event) }
      try StandardOutput.flush()
    }
  }

  private func nextEvents() throws -> [GenerationEvent] {
    guard !Fleet.isInterrupted else { return try cancelled() }
    do {
      return try engine.step()
    } catch is Interrupted {
      return try cancelled()
    }
  }

  /// Where a loss ends the job and it will be started again, no sequence has ended.
  private func cancelled() throws -> [GenerationEvent] {
    if LauncherLink.isToBeRestarted { throw EndedForRestart() }
    return engine.cancel()
  }
}

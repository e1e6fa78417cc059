import ArgumentParser
import Inference

/// What is kept for going on later, and going on.
struct JournalOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Keep here, as it comes, what --resume needs; a new file, on the coordinator's host; of flotilla launch, on this one.",
      valueName: "file"))
  var journal: String?

  @Option(
    help: ArgumentHelp(
      """
      Go on with what --journal has kept here, and keep the rest here too. Prompts, lengths, sampling and formats come \
      from it; MODEL says where the model lies, if it has moved.
      """, valueName: "file"))
  var resume: String?

  @Option(
    help: ArgumentHelp(
      """
      Seconds within which tokens are on the disk, 0 to 3600; 0: before they are shown. A crash of flotilla alone loses \
      none in any case. Default: 1.
      """, valueName: "seconds"))
  var journalInterval: Double?

  func validate() throws {
    for (option, path) in [("--journal", journal), ("--resume", resume)] where path?.isEmpty == true {
      throw ValidationError("\(option): expected a file name, found nothing.")
    }
    if journal != nil, resume != nil {
      throw ValidationError("--resume goes on writing to its own file: leave out --journal.")
    }
    if journalInterval != nil, journal == nil, resume == nil {
      throw ValidationError("--journal-interval needs --journal or --resume.")
    }
    try check("--journal-interval", journalInterval, "0 to 3600") { (0...3600).contains($0) }
  }

  var interval: Duration { .milliseconds(Int64(((journalInterval ?? 1) * 1000).rounded(.up))) }

  /// A new journal, if one is asked for.
  func create() throws -> JournalWriter? {
    guard let journal else { return nil }
    if let held = try LauncherLink.openJournal(journal) { return JournalWriter(path: journal, beginning: held.sink) }
    return try JournalWriter(creating: journal, interval: interval)
  }
}

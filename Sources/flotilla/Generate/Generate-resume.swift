import ArgumentParser
import Foundation
import Inference
import Reporting

extension Generate {
  /// Options that journals answer.
  static let namesInJournals = [
    "--prompt", "--prompt-file", "--system", "--raw", "--max-tokens", "--stop", "--ignore-eos", "--reasoning-budget",
    "--top-logprobs", "--special", "--temp", "--top-k", "--top-p", "--min-p", "--repeat-penalty", "--seed", "--quant",
    "--requantize", "--cache-type",
  ]

  /// - Throws: `ValidationError` for options that the journal answers: others would give other tokens.
  func refuseWhatJournalsSay() throws {
    let given = [
      !prompt.prompt.isEmpty, !prompt.promptFile.isEmpty, prompt.system != nil, prompt.raw, length.maxTokens != nil,
      !length.stop.isEmpty, length.ignoreEos, length.reasoningBudget != nil, length.alternatives > 0, length.special,
      sampling.temperature != nil, sampling.topK != nil, sampling.topP != nil, sampling.minP != nil,
      sampling.repeatPenalty != nil, sampling.seed != nil, model.quant.text != Quantization.auto.text,
      model.requantize, model.cacheType != .auto,
    ]
    if let (option, _) = zip(Self.namesInJournals, given).first(where: \.1) {
      throw ValidationError("--resume takes \(option) from the journal: leave it out.")
    }
  }

  /// Goes on with a journal, which only the coordinator needs to see.
  func resume(_ path: String, _ record: RecordOutput?) throws {
    // Where the model lies is known when the journal has been read.
    var options = try RunOptions(model, sequences, placement, at: URL(filePath: path))
    try DistributedRun.perform(timeout: options.timeout, hub: options.coordinator) { fleet in
      var found: OpenJournal?
      let resumption = try fleet.share {
        let journal = try OpenJournal(path, interval: journal.interval)
        found = journal
        return try Resumption(
          journal.contents, path: path, model: model.argument.path, contextSize: sequences.contextSize,
          parallel: sequences.parallel)
      }
      guard !resumption.isComplete else {
        if let found { try show(found, on: printer(for: found), again: "complete,") }
        return
      }
      try resumption.apply(to: &options)
      // The other ranks have what the coordinator has, or do not agree.
      if let header = found?.contents.header { options.accept = { try header.verify($0, $1, path: path) } }
      try DistributedRun.run(options, on: fleet, isQuiet: output.quiet) { session in
        guard let engine = session.engine, let found else { return }
        try output.recordRouting(of: session)
        try engine.add(found.contents)
        let printer = printer(for: found)
        try show(found, on: printer, again: "resumed behind")
        try GenerationRun(session: session, engine: engine, printer: printer, journal: found.writer, record: record)
          .perform()
      }
    }
  }

  private func printer(for found: OpenJournal) -> any GenerationPrinter {
    let sequences = found.contents.sequences
    return printer(
      sequences: sequences.count, showsMarks: !sequences.contains { $0.request.keepsSpecialTokens })
  }

  /// Shows what the journal knows as if it came now.
  private func show(_ found: OpenJournal, on printer: any GenerationPrinter, again state: String) throws {
    let journal = found.contents
    if !output.quiet, !LauncherLink.isRestart {
      if journal.tornBytes > 0 {
        note("\(found.path): its last line was not whole and is left out; what it held is generated again")
      }
      let count = journal.sequences.count
      let sequences = count == 1 ? "1 sequence" : "\(count) sequences"
      note("\(found.path): \(state) \(journal.generatedTokens) tokens of \(sequences)")
    }
    for event in journal.events { try printer.show(event) }
    try StandardOutput.flush()
  }
}

/// A journal to go on with: what it says and, where something is left to do, the way to write to it.
private struct OpenJournal {
  let path: String
  let contents: Journal
  let writer: JournalWriter?

  init(_ path: String, interval: Duration) throws {
    self.path = path
    if let held = try LauncherLink.openJournal(path) {
      let (opened, journal) = try JournalWriter.resuming(path, bytes: held.contents, sink: held.sink)
      (contents, writer) = (journal, opened)
      return
    }
    let read = try Journal(path: path)
    guard !read.isComplete else {
      (contents, writer) = (read, nil)
      return
    }
    let (opened, journal) = try JournalWriter.resuming(path, interval: interval)
    (contents, writer) = (journal, opened)
  }
}

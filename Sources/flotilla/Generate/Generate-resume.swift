import ArgumentParser
import Foundation
import Inference
import Reporting

extension Generate {
  /// - Throws: `ValidationError` for options that the journal answers: others would give other tokens.
  func refuseWhatJournalsSay() throws {
    let given: [(String, Bool)] = [
      ("--prompt", !prompt.prompt.isEmpty), ("--prompt-file", !prompt.promptFile.isEmpty),
      ("--system", prompt.system != nil), ("--raw", prompt.raw), ("--max-tokens", length.maxTokens != nil),
      ("--stop", !length.stop.isEmpty), ("--ignore-eos", length.ignoreEos),
      ("--reasoning-budget", length.reasoningBudget != nil), ("--top-logprobs", length.alternatives > 0),
      ("--special", length.special), ("--temp", sampling.temperature != nil), ("--top-k", sampling.topK != nil),
      ("--top-p", sampling.topP != nil), ("--min-p", sampling.minP != nil),
      ("--repeat-penalty", sampling.repeatPenalty != nil), ("--seed", sampling.seed != nil),
      ("--quant", model.quant.text != Quantization.auto.text), ("--requantize", model.requantize),
      ("--cache-type", model.cacheType != .auto),
    ]
    if let (option, _) = given.first(where: \.1) {
      throw ValidationError("--resume takes \(option) from the journal: leave it out.")
    }
  }

  /// Goes on with a journal, which only the coordinator needs to see.
  func resume(_ path: String, _ record: RecordFile?) throws {
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
    if !output.quiet {
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
    let read = try Journal(path: path)
    guard !read.isComplete else {
      (contents, writer) = (read, nil)
      return
    }
    let (opened, journal) = try JournalWriter.resuming(path, interval: interval)
    (contents, writer) = (journal, opened)
  }
}

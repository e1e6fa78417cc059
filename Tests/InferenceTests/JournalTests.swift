import DeepSeek
import Foundation
import Inference
import TestSupport
import Testing

/// Two sequences, one of which has ended.
enum MadeUpJournal {
  static let header = JournalHeader(
    version: "0.1.0", model: .init(name: "R1 \"é\u{1}", path: nil, fingerprint: "ab12"), quant: "auto",
    requantizes: false, formats: "q8_0", cacheFormat: .f16, contextSize: 4096, parallel: 2, endTokens: [1, 7],
    sequences: 2)

  static let requests = [
    GenerationRequest(prompt: [0, 5, 9], maxTokens: 4, stopStrings: ["\n\n", "stop\""], reasoningBudget: 3),
    GenerationRequest(
      prompt: [0], maxTokens: .max,
      sampling: SamplingOptions(
        temperature: 0.6, topK: 40, topP: 0.95, minP: 0.05, repetitionPenalty: 1.1, seed: .max),
      ignoresEndOfSequence: true, topAlternatives: 2, keepsSpecialTokens: true, forcedTokens: [4, 4]),
  ]

  static let steps: [[GenerationEvent]] = [
    [
      .token(.init(sequence: 0, position: 3, id: 11, text: "é", part: .reasoning, logProbability: -0.1)),
      .token(
        .init(
          sequence: 1, position: 1, id: 4, text: "", part: .answer, logProbability: -Double.infinity,
          alternatives: [.init(id: 3, logProbability: -1e-300), .init(id: 2, logProbability: -.infinity)],
          isForced: true)),
    ],
    [
      .token(.init(sequence: 0, position: 4, id: 12, text: "\u{0}\n\u{1F600}", part: .answer, logProbability: -2.5)),
      .finished(sequence: 0, .stopString, text: "rest"),
    ],
    [.token(.init(sequence: 1, position: 2, id: 4, text: "x", part: .answer, logProbability: 0))],
  ]

  static func write(_ path: String, steps: [[GenerationEvent]] = steps) throws {
    let writer = try JournalWriter(creating: path, interval: .zero)
    try writer.begin(header, requests)
    for step in steps { try writer.append(step) }
  }
}

func withTemporaryFile<Result>(_ body: (String) throws -> Result) throws -> Result {
  let url = FileManager.default.temporaryDirectory.appending(path: "flotilla-\(UUID().uuidString)")
  defer { try? FileManager.default.removeItem(at: url) }
  return try body(url.path(percentEncoded: false))
}

private func contents(_ path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(filePath: path))) }

/// Bit by bit, as the standard has it.
private func crc(_ bytes: some Sequence<UInt8>) -> UInt32 {
  ~bytes.reduce(~UInt32(0)) { state, byte in
    (0..<8).reduce(state ^ UInt32(byte)) { value, _ in value & 1 == 1 ? 0xEDB8_8320 ^ (value >> 1) : value >> 1 }
  }
}

/// Lines with checksums that are right, whatever they say.
private func sealed(_ bodies: [[UInt8]]) -> [UInt8] {
  var (text, lines): ([UInt8], [UInt8]) = ([], [])
  for body in bodies {
    text += body
    lines += body + Array(",\"crc\":\"\(String(format: "%08x", crc(text)))\"}\n".utf8)
  }
  return lines
}

/// Lines up to their checksums.
private func bodies(_ bytes: [UInt8]) -> [[UInt8]] { bytes.split(separator: 10).map { Array($0.dropLast(18)) } }

@Suite("Journal")
struct JournalTests {
  @Test("What is written is read: every field, every token, the order of events")
  func roundTrip() throws {
    try withTemporaryFile { path in
      try MadeUpJournal.write(path)
      let journal = try Journal(path: path)
      #expect(journal.header == MadeUpJournal.header)
      #expect(journal.events == MadeUpJournal.steps.flatMap { $0 })
      #expect(journal.tornBytes == 0 && !journal.isComplete && journal.generatedTokens == 4)
      #expect(journal.sequences.map(\.finish) == [.stopString, nil])
      #expect(journal.sequences.map { "\($0.request)" } == MadeUpJournal.requests.map { "\($0)" })
      #expect(journal.sequences[1].remaining.continuation.map(\.position) == [1, 2])
      #expect(journal.contextSize == 4096, "sequence 1 ends where the context ends")
    }
  }

  @Test("The format: JSON lines, each with the CRC-32 of the file's text so far")
  func format() throws {
    #expect(crc(Array("123456789".utf8)) == 0xcbf4_3926)
    try withTemporaryFile { path in
      try MadeUpJournal.write(path)
      let bytes = try contents(path)
      #expect(bytes == sealed(bodies(bytes)))
      let lines = bytes.split(separator: 10)
      #expect(lines.count == 6)
      for line in lines { _ = try JSONSerialization.jsonObject(with: Data(line)) }
      let body = String(decoding: lines[5].dropLast(18), as: UTF8.self)
      #expect(body == #"{"step":[{"sequence":1,"position":2,"id":4,"text":"x","part":"answer","logprob":0.0}]"#)
    }
  }

  @Test("Cut anywhere: what is whole before the cut is read, and going on gives the same file")
  func torn() throws {
    try withTemporaryFile { path in
      try MadeUpJournal.write(path)
      let bytes = try contents(path)
      let ends = bytes.indices.filter { bytes[$0] == 10 }.map { $0 + 1 }
      for cut in 0..<bytes.count {
        let whole = ends.last { $0 <= cut } ?? 0
        try Data(bytes[..<cut]).write(to: URL(filePath: path))
        guard cut >= ends[2] else {
          #expect(throws: JournalError.self) { try Journal(path: path) }
          continue
        }
        let steps = ends.firstIndex(of: whole)! - 2
        do {
          let (writer, journal) = try JournalWriter.resuming(path, interval: .seconds(1))
          #expect(journal.tornBytes == cut - whole)
          #expect(journal.events == MadeUpJournal.steps.prefix(steps).flatMap { $0 })
          for step in MadeUpJournal.steps.dropFirst(steps) { try writer.append(step) }
        }
        #expect(try contents(path) == bytes, "cut at \(cut)")
      }
    }
  }

  @Test("A last line with a feed that is not intact, as after a power cut, is torn too")
  func tornWithFeed() throws {
    try withTemporaryFile { path in
      try MadeUpJournal.write(path)
      var bytes = try contents(path)
      bytes[bytes.count - 40] = 0
      let journal = try Journal(path: path, bytes: bytes)
      #expect(journal.events == MadeUpJournal.steps.prefix(2).flatMap { $0 } && journal.tornBytes > 40)
    }
  }

  @Test("Damage before the last line names file, line, what was expected and found")
  func damage() throws {
    try withTemporaryFile { path in
      try MadeUpJournal.write(path)
      let bytes = try contents(path)
      let lines = bytes.split(separator: 10).map { Array($0) + [10] }
      func error(_ bytes: [UInt8]) -> String? {
        do {
          _ = try Journal(path: "j", bytes: bytes)
          return nil
        } catch { return "\(error)" }
      }
      // Every bit of the lines before the last counts.
      let last = bytes.count - lines[5].count
      // Without the last but one feed, two lines are the last one.
      for index in 0..<last - 1 {
        var damaged = bytes
        damaged[index] ^= 1 << UInt8(index % 8)
        #expect(error(damaged) != nil, "byte \(index)")
      }
      var flipped = bytes
      flipped[lines[..<3].joined().count + 20] ^= 2
      let found = try #require(error(flipped))
      #expect(found.hasPrefix("j: line 4: checksum: expected "))
      #expect(found.hasSuffix("Keep the first 3 lines (head -n 3): what they lack is generated again."))
      let swapped = lines[..<3] + [lines[4], lines[3], lines[5]]
      #expect(error(Array(swapped.joined()))?.hasPrefix("j: line 4: checksum") == true)
      let doubled = lines[..<5] + [lines[4], lines[5]]
      #expect(error(Array(doubled.joined()))?.hasPrefix("j: line 6: checksum") == true)
    }
  }

  @Test(
    "Lines that cannot be are refused by field",
    arguments: [
      (0, "flotilla_journal\":2", "flotilla_journal\":1", "line 1: flotilla_journal: expected 2, the format"),
      (0, "\"cache\":\"f16\"", "\"cache\":\"f8\"", "line 1: cache: expected f32 or f16, found \"f8\""),
      (0, "\"sequences\":2", "\"sequences\":3", "line 7: sequences: expected 3, as the header says, found 2"),
      (0, "\"quant\"", "\"qant\"", "line 1: qant: expected no such field, found a string"),
      (1, "[[0,3]]", "[[0,2]]", "line 2: expanded: expected [[0,3]], the positions of the prompt"),
      (1, "\"prompt\":[0,5,9]", "\"prompt\":[]", "line 2: prompt: expected at least one token, found none"),
      (1, "\"sequence\":0", "\"sequence\":1", "line 2: sequence: expected an integer from 0 to 0, found 1"),
      (2, "\"seed\":\"1", "\"seed\":\"x1", "line 3: seed: expected an integer from 0 to 18446744073709551615, as text"),
      (3, "\"position\":3", "\"position\":4", "line 4: step[0]: position: expected 3, found 4"),
      (3, "\"sequence\":1", "\"sequence\":2", "line 4: step[1]: sequence: expected one that has begun and not ended"),
      (3, "\"id\":11", "\"id\":-1", "line 4: step[0]: id: expected an integer from 0 to 2147483647, found -1"),
      (3, "[2,null]", "[2]", "line 4: step[1]: top: expected pairs of an id and a number"),
      (4, "\"stop\"", "\"cancelled\"", "line 5: step[1]: finish: expected end, stop, length or context"),
      (5, "\"sequence\":1", "\"sequence\":0", "line 6: step[0]: sequence: expected one that has begun and not ended"),
    ])
  func refused(line: Int, old: String, new: String, text: String) throws {
    try withTemporaryFile { path in
      try MadeUpJournal.write(path)
      var bodies = bodies(try contents(path))
      let body = String(decoding: bodies[line], as: UTF8.self)
      try #require(body.contains(old))
      bodies[line] = Array(body.replacingOccurrences(of: old, with: new).utf8)
      let error = #expect(throws: JournalError.self) { try Journal(path: "j", bytes: sealed(bodies)) }
      #expect(error?.description.hasPrefix("j: " + text) == true, "\(error!)")
    }
  }

  @Test("Mutated journals are read or refused, with checksums that are right and wrong")
  func fuzz() throws {
    try withTemporaryFile { path in
      try MadeUpJournal.write(path)
      let bytes = try contents(path)
      let bodies = bodies(bytes)
      let words = [
        "\"step\":[", "\"sequence\":", "\"finish\":\"end\"", "\"top\":[[1,", "\"crc\":\"", "\n", "2147483648",
      ]
      var mutator = Mutator(seed: 5, words: words)
      var read = 0
      for round in 0..<fuzzCount(20_000) {
        var mutant = mutator.mutated(bytes)
        if round % 4 != 0 {
          var changed = bodies
          let line = mutator.random.below(bodies.count)
          changed[line] = mutator.mutated(bodies[line])
          mutant = sealed(changed)
        }
        guard let journal = try? Journal(path: path, bytes: mutant) else { continue }
        read += 1
        #expect(journal.sequences.count == journal.header.sequences)
        for sequence in journal.sequences {
          let first = sequence.request.prompt.count
          #expect(sequence.tokens.map(\.position) == Array(first..<first + sequence.tokens.count))
        }
        _ = journal.contextSize
      }
      #expect(read > 500)
    }
  }

  @Test("An existing file is left alone, one that was never begun goes again, two writers never meet")
  func files() throws {
    try withTemporaryFile { path in
      do { _ = try JournalWriter(creating: path, interval: .zero) }
      #expect(!FileManager.default.fileExists(atPath: path))
      try MadeUpJournal.write(path)
      let bytes = try contents(path)
      let error = #expect(throws: JournalError.self) { try JournalWriter(creating: path, interval: .zero) }
      #expect(
        error?.description == "\(path): journal: expected no such file yet, found one that is not empty. "
          + "Hint: Go on with it: --resume \(path). Or remove it, or name another.")
      #expect(try contents(path) == bytes)
      let (writer, _) = try JournalWriter.resuming(path, interval: .zero)
      let busy = #expect(throws: JournalError.self) { try JournalWriter.resuming(path, interval: .zero) }
      #expect(busy?.found == "another flotilla at work on it")
      try writer.flush()
      #expect(throws: JournalError.self) { try JournalWriter(creating: "/dev/null", interval: .zero) }
      #expect(throws: JournalError.self) { try Journal(path: "/dev") }
      #expect(throws: JournalError.self) { try Journal(path: path + "-") }
    }
  }

  @Test("A child that is being started keeps no journal busy") func copiedDescriptor() throws {
    try withTemporaryFile { path in
      try MadeUpJournal.write(path)
      var writer: JournalWriter? = try JournalWriter.resuming(path, interval: .zero).0
      let copies = try DescriptorCopies(of: path)
      #expect(copies.count == 1)
      withExtendedLifetime(writer) {}
      #expect(throws: JournalError.self) { try JournalWriter.resuming(path, interval: .zero) }
      writer = nil
      try withExtendedLifetime(copies) { _ = try JournalWriter.resuming(path, interval: .zero) }
    }
  }

  @Test("A journal that a launcher holds: what came in pieces is cut to whole lines, or to nothing before it begins")
  func held() throws {
    try withTemporaryFile { path in
      try MadeUpJournal.write(path)
      let bytes = [UInt8](try contents(path))
      let whole = try Journal(path: path)
      let begun = bytes.indices.filter { bytes[$0] == 10 }[whole.header.sequences] + 1
      for count in Array(stride(from: 0, to: bytes.count, by: 37)) + [begun - 1, begun, bytes.count] {
        unlink(path)
        let file = try JournalFile(creating: path, interval: .seconds(1))
        try file.append(Array(bytes[..<count]))
        let journal = try file.mendedIfBegun()
        #expect((journal != nil) == (count >= begun), "\(count) bytes")
        let left = try file.contents()
        #expect(
          left == Array(bytes[..<(journal == nil ? 0 : count - bytes[..<count].reversed().prefix { $0 != 10 }.count)]))
        guard journal != nil else { continue }
        // A coordinator goes on with it from afar.
        let (writer, known) = try JournalWriter.resuming(path, bytes: left, sink: file)
        let rest = whole.events.dropFirst(known.events.count)
        try writer.append(Array(rest))
        #expect(try file.mended().events == whole.events)
      }
    }
  }

  @Test("A disk that is full ends the run with a word")
  func full() throws {
    // Writes to it fail as those to a full disk do.
    let descriptor = open("/dev/full", O_WRONLY)
    let file = DurableFile(descriptor: descriptor, path: "/dev/full", interval: .seconds(1))
    let error = #expect(throws: JournalError.self) { try file.append([1]) }
    #expect(error?.description.hasPrefix("/dev/full: journal: expected to write it, found No space left") == true)
    #expect(error?.isFailure == true)
  }
}

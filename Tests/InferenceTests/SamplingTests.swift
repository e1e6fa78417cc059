import Inference
import Kernels
import Testing

@Suite("Sampler")
struct SamplerTests {
  let sampler = Sampler(vocabularySize: 8, compute: Compute(kernels: .best, threads: 1))
  let logits: [Float] = [0, 2, 1, -1, 3, 2.5, -4, 1.5]

  private func draw(_ options: SamplingOptions, position: Int = 0, history: [Int] = []) -> Int {
    var copy = logits
    return copy.withUnsafeMutableBufferPointer {
      sampler.next($0, history: history, options: options, sequence: 0, position: position)
    }
  }

  private func distinct(_ options: SamplingOptions) -> Set<Int> {
    Set((0..<2000).map { draw(options, position: $0) })
  }

  @Test("Temperature 0 takes the best, the lowest among equals")
  func greedy() {
    #expect(draw(.greedy) == 4)
    var equal: [Float] = [1, 3, 3, 2, 0, 0, 0, 3]
    #expect(equal.withUnsafeMutableBufferPointer { Sampler.best(UnsafeBufferPointer($0)) } == 1)
  }

  @Test("A temperature near 0 is greedy, even where scaled logits overflow", arguments: [1e-30, 2e-38, 1e-39, 1e-300])
  func nearlyGreedy(temperature: Double) {
    #expect(distinct(.init(temperature: temperature)) == [4])
  }

  @Test("Top-k, top-p and min-p leave what they should")
  func truncation() {
    #expect(distinct(.init(temperature: 1, topK: 3)) == [4, 5, 1])
    // Probabilities of 4, 5, 1, 7: 0.416, 0.252, 0.153, 0.093.
    #expect(distinct(.init(temperature: 1, topP: 0.39)) == [4])
    #expect(distinct(.init(temperature: 1, topP: 0.5)) == [4, 5])
    #expect(distinct(.init(temperature: 1, minP: 0.35)) == [4, 5, 1])
    #expect(distinct(.init(temperature: 1)).count >= 7)
  }

  @Test("Frequencies follow the probabilities")
  func frequencies() {
    let draws = 20_000
    let share = Double((0..<draws).count { draw(.init(temperature: 1, seed: 9), position: $0) == 4 }) / Double(draws)
    #expect(abs(share - 0.4163) < 0.012)
  }

  @Test("A draw depends on seed, sequence and position only")
  func counterBased() {
    let options = SamplingOptions(temperature: 1, seed: 42)
    let forward = (0..<50).map { draw(options, position: $0) }
    let backward = (0..<50).reversed().map { draw(options, position: $0) }
    #expect(forward == backward.reversed())
    #expect(forward != (0..<50).map { draw(.init(temperature: 1, seed: 43), position: $0) })
  }

  @Test("Repetition penalty lowers what occurred, once")
  func repetition() {
    #expect(draw(.init(repetitionPenalty: 2), history: [4, 4]) == 5)
    #expect(draw(.init(repetitionPenalty: 1.1), history: [4, 4]) == 4)
  }

  @Test("Philox-4x32-10 gives the published numbers")
  func philox() {
    // Known-answer vectors of the Random123 distribution.
    #expect(
      CounterGenerator.block(counter: (0, 0, 0, 0), key: (0, 0)) == [
        0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8,
      ])
    let ones = UInt32.max
    #expect(
      CounterGenerator.block(counter: (ones, ones, ones, ones), key: (ones, ones))
        == [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd])
  }

  @Test("Impossible options are refused by name")
  func refused() {
    #expect(throws: RequestError("top-p: expected above 0, at most 1, found 1.5")) {
      try SamplingOptions(topP: 1.5).verify()
    }
    #expect(throws: RequestError("temperature: expected 0 or more, found -1.0")) {
      try SamplingOptions(temperature: -1).verify()
    }
  }
}

@Suite("Text of a sequence")
struct TextTests {
  @Test("A stop string is cut wherever pieces divide it")
  func stops() {
    let text = "one STOP two"
    for first in 0...text.count {
      for second in first...text.count {
        var stops = StopStrings(["STOP", "never"])
        let characters = Array(text)
        let pieces = [characters[..<first], characters[first..<second], characters[second...]].map { String($0) }
        let shown = pieces.map { stops.append($0) }.joined() + stops.flush()
        #expect(shown == "one ")
        #expect(stops.matched == "STOP")
      }
    }
  }

  @Test("What could become a stop string is held, and given back at the end")
  func held() {
    var stops = StopStrings(["\n\nUser"])
    #expect(stops.append("Hi\n\nUs") == "Hi")
    #expect(stops.append("ually") == "\n\nUsually")
    #expect(stops.append(" \n") == " ")
    #expect(stops.flush() == "\n")
    #expect(stops.matched == nil)
  }

  @Test("Reasoning starts inside the prompt's mark and ends at its close")
  func reasoning() {
    var tracker = ReasoningTracker(open: 1, close: 2, prompt: [5, 1, 9], budget: nil)
    #expect([7, 7, 2, 8].map { tracker.append($0) } == [.reasoning, .reasoning, .reasoning, .answer])
    #expect(tracker.reasoningTokens == 2)
    #expect(ReasoningTracker(open: 1, close: 2, prompt: [1, 5, 2], budget: nil).part == .answer)
    #expect(ReasoningTracker(open: nil, close: nil, prompt: [1], budget: 0).forcedToken == nil)
  }

  @Test("The budget closes the reasoning")
  func budget() {
    var tracker = ReasoningTracker(open: 1, close: 2, prompt: [1], budget: 2)
    #expect(tracker.forcedToken == nil)
    _ = tracker.append(7)
    _ = tracker.append(7)
    #expect(tracker.forcedToken == 2)
    _ = tracker.append(2)
    #expect(tracker.forcedToken == nil)
  }
}

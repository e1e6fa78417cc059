import Kernels
import Testing

@Suite("The last pieces of work")
struct TimelineTests {
  @Test("Only the last ones are kept, in order; what follows at once on its like joins it")
  func ring() {
    var timeline = Timeline(capacity: 3)
    #expect(timeline.pieces.isEmpty)
    for (index, phase) in [Phase.attention, .gate, .combine, .wait, .head].enumerated() {
      timeline.add(phase, start: Double(index), end: Double(index) + 0.5)
    }
    #expect(timeline.pieces.map(\.phase) == [.combine, .wait, .head])
    timeline.add(.head, start: 4.500_001, end: 5)
    #expect(timeline.pieces.last == Timeline.Piece(.head, start: 4, end: 5) && timeline.pieces.count == 3)
    timeline.add(.head, start: 5.1, end: 6)
    #expect(timeline.pieces.map(\.phase) == [.wait, .head, .head])
  }

  @Test("What is measured is kept with its times")
  func measured() throws {
    let compute = Compute(kernels: .best, threads: 1)
    compute.measure(.attention) {}
    compute.note(.gate) {}
    #expect(compute.timeline.pieces.map(\.phase) == [.attention, .gate])
    #expect(compute.phases[.gate] == 0 && compute.timeline.pieces.allSatisfy { $0.end >= $0.start })
  }
}

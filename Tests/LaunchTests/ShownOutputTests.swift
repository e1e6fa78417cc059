import Launch
import TestSupport
import Testing

@Suite("What a launcher passes on")
struct ShownOutputTests {
  @Test("A job that begins anew shows only what nobody has seen, in whatever pieces it comes")
  func again() {
    var random = SeededGenerator(seed: 3)
    let text = (0..<500).map { _ in UInt8.random(in: 0...255, using: &random) }
    for _ in 0..<200 {
      var shown = ShownOutput()
      var seen: [UInt8] = []
      for end in [Int.random(in: 0...500, using: &random), Int.random(in: 0...500, using: &random), 500] {
        shown.begin()
        var start = 0
        while start < end {
          let next = min(end, start + Int.random(in: 1...80, using: &random))
          seen += shown.new(Array(text[start..<next])) ?? []
          start = next
        }
        #expect(shown.isCaughtUp == (end >= seen.count))
      }
      #expect(seen == text)
    }
  }

  @Test("Another text than before is noticed before anything of it is shown")
  func other() {
    var shown = ShownOutput()
    #expect(shown.new([1, 2, 3]) == [1, 2, 3])
    shown.begin()
    #expect(shown.new([1, 7]) == [])
    #expect(!shown.isCaughtUp)
    #expect(shown.new([3, 4]) == nil)
  }

  @Test("Standard output in frames and standard error between them, in whatever pieces they come")
  func frames() {
    let errors = Array("\u{1B}[K50 %\r".utf8)
    let output: [UInt8] = [0, 10, 48, 0, 255]
    let bytes = errors + ScreenFrame.bytes(output) + ScreenFrame.bytes([]) + ScreenFrame.bytes([7]) + errors
    for size in 1...bytes.count {
      var reader = ScreenReader()
      var found: [(isOutput: Bool, byte: UInt8)] = []
      for start in stride(from: 0, to: bytes.count, by: size) {
        for piece in reader.add(bytes[start..<min(start + size, bytes.count)]) {
          switch piece {
          case .output(let bytes): found += bytes.map { (true, $0) }
          case .errors(let bytes): found += bytes.map { (false, $0) }
          }
        }
      }
      #expect(found.map(\.byte) == errors + output + [7] + errors, "in pieces of \(size)")
      #expect(found.filter(\.isOutput).map(\.byte) == output + [7])
    }
    var reader = ScreenReader()
    #expect(reader.add([0, 65]) == [.errors([0, 65])], "no frame after all")
  }
}

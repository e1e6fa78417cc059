import Foundation
import Glibc
import Launch
import Testing

@Suite("What a launcher writes and hears")
struct OutputTests {
  @Test("Who reads behind a pipe may stop: the writer is not kept, every byte comes in order", .timeLimit(.minutes(1)))
  func patience() {
    var ends: [Int32] = [0, 0]
    #expect(pipe(&ends) == 0)
    let output = PatientOutput(ends[1])
    #expect(output.isIdle(within: 0) && !output.isFull)
    let text = (0..<1 << 20).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    for start in stride(from: 0, to: text.count, by: 4096) { #expect(output.add(Array(text[start..<start + 4096]))) }
    #expect(output.isFull && !output.isIdle(within: 0.05))
    var read: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while read.count < text.count { read += buffer[..<max(0, Glibc.read(ends[0], &buffer, buffer.count))] }
    #expect(read == text && output.isIdle(within: 10) && !output.isFull)
    close(ends[0])
    close(ends[1])
  }

  @Test("Who reads no more is noticed, and nothing is waited for", .timeLimit(.minutes(1)))
  func gone() {
    signal(SIGPIPE, SIG_IGN)
    var ends: [Int32] = [0, 0]
    #expect(pipe(&ends) == 0)
    close(ends[0])
    let output = PatientOutput(ends[1])
    while output.add([1]) { usleep(1000) }
    #expect(output.isIdle(within: 10) && !output.isFull)
    close(ends[1])
  }

  @Test("An error is a line that begins so, on standard error; what a model says is none")
  func complaints() {
    var scan = ComplaintScan()
    scan.pass(Array("error: said the model\nerror: again".utf8))
    #expect(scan.complaint == nil && !scan.isAtLineStart)
    scan.add(Array(" error: in the middle of a line\n".utf8))
    #expect(scan.complaint == nil && scan.isAtLineStart)
    for byte in Array("50 %\r\u{1B}[Kerror: rank 1: no\nerror: a second one\n".utf8) { scan.add([byte]) }
    #expect(scan.complaint == "rank 1: no")
  }
}

import Inference
import Testing

@Suite("Weights of prepared models in huge pages")
struct HugePagesTests {
  private func machine(_ pages: String?) -> MachineFacts {
    var facts = MachineFacts.ofThisMachine()
    facts.hugePages = pages
    return facts
  }

  private func copies(
    _ wish: HugePages, _ checks: PreparedChecks = [], pages: String? = "madvise", hasRoom: Bool = true
  ) throws -> Bool {
    try wish.copies(checks, machine: machine(pages)) { hasRoom }
  }

  @Test("By itself: where there is room, the system gives them, and nobody wants the files' own pages")
  func auto() throws {
    #expect(try copies(.auto) && copies(.auto, .verify) && copies(.auto, pages: "always") && copies(.auto, pages: nil))
    #expect(try !copies(.auto, hasRoom: false) && !copies(.auto, pages: "never"))
    #expect(try !copies(.auto, .populate) && !copies(.auto, [.verify, .lock]))
  }

  @Test("On and off hold whatever the machine is; on is refused beside what keeps the files' pages")
  func said() throws {
    #expect(try copies(.on, pages: "never", hasRoom: false) && !copies(.off))
    for checks: PreparedChecks in [.populate, .lock] {
      #expect(throws: RequestError.self) { try copies(.on, checks) }
    }
  }
}

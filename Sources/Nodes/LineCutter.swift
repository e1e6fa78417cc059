/// Cuts a stream into lines, which end with line feeds or carriage returns.
package struct LineCutter {
  private var pending: [UInt8] = []

  package init() {}

  package mutating func add(_ bytes: [UInt8], _ body: (String) -> Void) {
    pending += bytes
    while let end = pending.firstIndex(where: { $0 == 10 || $0 == 13 }) {
      if end > 0 { body(String(decoding: pending[..<end], as: UTF8.self)) }
      pending.removeFirst(end + 1)
    }
  }
}

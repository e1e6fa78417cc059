import DeepSeek
import Kernels

/// The coordinator's side of products whose output rows are divided: who owes which, and what has arrived.
///
/// One is under way at a time, since the next needs what this one gives. Nothing is allocated for it.
struct DividedProduct {
  private(set) var product: SlicedProduct?
  /// Counts products.
  private var number: UInt32 = 0
  /// `[ranks]`: output rows that a rank still owes; empty: none.
  private var owed: [Range<Int>]
  private var left = 0

  init(ranks: Int) { owed = Array(repeating: 0..<0, count: ranks) }

  var isComplete: Bool { left == 0 }

  mutating func start(_ product: SlicedProduct, _ placement: Placement) {
    self.product = product
    number &+= 1
    for (index, rank) in placement.slices.enumerated() {
      owed[rank] = placement.share(at: index + 1).rows(of: product.output.columns)
      left += owed[rank].isEmpty ? 0 : 1
    }
  }

  mutating func end() { product = nil }

  /// Whether a rank has not answered yet.
  func awaits(_ rank: Int) -> Bool { !owed[rank].isEmpty }

  /// What ranks are asked.
  func header(of product: SlicedProduct, epoch: UInt32) -> WireHeader {
    var header = WireHeader(.slice, epoch: epoch)
    header.layer = product.layer
    header.batch = number
    header.tokens = product.input.count
    header.rows = product.input.count
    return header
  }

  /// Takes a rank's rows, if they are what it owes.
  mutating func take(_ message: Message, shape: WireShape) throws {
    let check = WireCheck(message, .sliceRows, shape)
    guard let product, owed.indices.contains(message.source), awaits(message.source) else {
      throw check.error("source", expected: "a rank that owes rows", found: "rank \(message.source)")
    }
    let columns = owed[message.source]
    let reply = try SliceRowsMessage(reading: message, shape: shape, rows: columns.count)
    try check.equal(Int(reply.header.batch), Int(number), "batch")
    try check.equal(reply.header.layer, product.layer, "layer")
    try check.equal(reply.header.tokens, product.input.count, "tokens")
    try check.equal(Int(reply.part.rawValue), Int(product.part.rawValue), "part")
    product.output[columns: columns].copy(from: reply.rows)
    owed[message.source] = 0..<0
    left -= 1
    message.recycle()
  }

  /// "rows of attentionOutput of 1 token from rank 1 on host a": what is waited for.
  func awaited(hostName: (Int) -> String) -> String {
    let tokens = product?.input.count ?? 0
    let ranks = owed.indices.filter(awaits).map { "rank \($0) on host \(hostName($0))" }
    return "rows of \(product.map { "\($0.part)" } ?? "nothing") of \(tokens) token\(tokens == 1 ? "" : "s") from "
      + ranks.joined(separator: " and ")
  }
}

import DeepSeek
import Kernels

// Products of the dense part that other ranks hold rows of.
extension CoordinatorFabric {
  /// Few tokens always are; many where these ranks share the coordinator's memory and have no experts to run.
  public func divides(tokens: Int) -> Bool {
    guard !node.placement.slices.isEmpty else { return false }
    return tokens <= SliceShare.mostTokensBesideExperts || (areSlicesNear && underWay.isEmpty)
  }

  public func share(_ product: SlicedProduct, own: (Range<Int>) -> Void) throws {
    guard let share = node.placement.share(of: node.exchange.rank), fits(product) else {
      return own(0..<product.output.columns)
    }
    let start = Clock.seconds
    divided.start(product, node.placement)
    try explainingLoss(layer: product.layer, awaited: { divided.awaited(hostName: node.exchange.hostName) }) {
      try ask(product)
      let asked = Clock.seconds
      times.dispatch += asked - start
      own(share.rows(of: product.output.columns))
      let done = Clock.seconds
      try wait { divided.isComplete }
      node.compute.secondsAside += asked - start + Clock.seconds - done
    }
    divided.end()
  }

  private func ask(_ product: SlicedProduct) throws {
    let header = divided.header(of: product, epoch: shape.epoch)
    for rank in node.placement.slices where divided.awaits(rank) {
      let message = node.exchange.message(
        capacity: SliceMessage.byteCount(
          tokens: product.input.count, columns: product.input.columns, encoding: product.input.encoding))
      _ = SliceMessage(writing: message, header: header, product)
      try node.exchange.send(message, to: rank)
    }
  }

  /// Whether messages there and back are within limits.
  private func fits(_ product: SlicedProduct) -> Bool {
    let (tokens, columns) = (product.input.count, product.input.columns)
    let there = SliceMessage.byteCount(tokens: tokens, columns: columns, encoding: product.input.encoding)
    let back = SliceRowsMessage.byteCount(tokens: tokens, rows: product.output.columns)
    let isOneQuestion = (1...SliceShare.mostTokens).contains(tokens)
    return isOneQuestion && divides(tokens: tokens) && max(there, back) <= shape.maxMessageBytes
  }
}

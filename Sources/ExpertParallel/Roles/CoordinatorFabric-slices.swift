import DeepSeek
import Kernels

// Products of the dense part that other ranks hold rows of.
extension CoordinatorFabric {
  /// Few tokens always are; many where these ranks share the coordinator's memory and have no experts to run.
  public func divides(tokens: Int) -> Bool {
    guard !node.placement.slices.isEmpty else { return false }
    return tokens <= SliceShare.mostTokensBesideExperts || (areSlicesNear && underWay.isEmpty)
  }

  public func tokensPerQuestion(_ tokens: Int, of whole: SliceShape) -> Int {
    guard divides(tokens: tokens) else { return tokens }
    let most = mostTokens(of: whole)
    return min(most > 0 ? most : SliceShare.mostTokens, tokens)
  }

  public func share(_ product: SlicedProduct, own: (Range<Int>) -> Void) throws {
    guard let share = node.placement.share(of: node.exchange.rank), isOneQuestion(product) else {
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

  private func isOneQuestion(_ product: SlicedProduct) -> Bool {
    let (tokens, whole) = (product.input.count, product.wholeShape)
    return tokens > 0 && divides(tokens: tokens) && tokens <= mostTokens(of: whole)
  }

  /// As many as the messages there and back have room for; 0 where that is none.
  private func mostTokens(of whole: SliceShape) -> Int {
    // Behind the coordinator's own, the first share is the largest; of small matrices it is nothing, and nobody is asked.
    let rows = node.placement.share(at: 1).rows(of: whole.rows).count
    guard rows > 0 else { return SliceShare.mostTokens }
    func room(_ bytes: (_ tokens: Int) -> Int) -> Int { (shape.maxMessageBytes - bytes(0)) / (bytes(1) - bytes(0)) }
    let there = room { SliceMessage.byteCount(tokens: $0, columns: whole.columns, encoding: whole.encoding) }
    let back = room { SliceRowsMessage.byteCount(tokens: $0, rows: rows) }
    return min(SliceShare.mostTokens, there, back)
  }
}

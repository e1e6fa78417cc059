import Kernels

/// Where the routed experts are, as the model sees it: two verbs, as in DeepEP; and a third for products of the dense
/// part that several ranks divide.
///
/// Between the two the model computes its shared expert. Implementations: the coordinator's fabric over an
/// exchange between ranks (`ExpertParallel`), and fakes in tests.
public protocol ExpertFabric: AnyObject {
  /// Sends a layer's normed tokens, `[tokens, hidden]` f32, on their way. Returns at once.
  func dispatch(_ tokens: ActivationRows, layer: Int) throws -> DispatchTicket

  /// Waits until every chosen expert's rows are back and writes the routed sum, `[tokens, hidden]` f32.
  /// The routing that was taken can be read from ``routing`` until the next dispatch.
  func combine(_ ticket: consuming DispatchTicket, into output: ActivationRows) throws

  /// The routing of the last combined ticket.
  var routing: Routing { get }

  /// Whether other ranks hold rows of the dense part's matrices and compute theirs for so many tokens.
  func divides(tokens: Int) -> Bool

  /// How many of some tokens a product is divided for at a time; all of them where it is not divided.
  ///
  /// - Parameter whole: all ranks' rows.
  func tokensPerQuestion(_ tokens: Int, of whole: SliceShape) -> Int

  /// Computes a product whose output rows are divided: `own` is called once with the rows that are this rank's, while
  /// the other ranks compute theirs. With nobody to divide them among, all rows are.
  func share(_ product: SlicedProduct, own: (Range<Int>) -> Void) throws
}

extension ExpertFabric {
  public func divides(tokens: Int) -> Bool { false }
  public func tokensPerQuestion(_ tokens: Int, of whole: SliceShape) -> Int { tokens }
  public func share(_ product: SlicedProduct, own: (Range<Int>) -> Void) throws { own(0..<product.output.columns) }
}

/// Dispatched tokens whose sum has not been fetched. Consumed by `combine`, once.
public struct DispatchTicket: ~Copyable, Sendable {
  public let layer: Int
  /// Number of tokens.
  public let tokens: Int
  /// Ascending over all dispatches of a fabric.
  public let batch: UInt32

  public init(layer: Int, tokens: Int, batch: UInt32) {
    self.layer = layer
    self.tokens = tokens
    self.batch = batch
  }
}

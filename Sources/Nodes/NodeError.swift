/// What went wrong with a node, or with a program that was to reach it.
public struct NodeError: Error, Sendable, Equatable, CustomStringConvertible {
  /// Empty where no single node is meant.
  public var node: String
  public var text: String
  public var hint: String
  /// Whether options or input are at fault.
  public var isUsage: Bool

  public init(_ text: String, node: String = "", hint: String = "", isUsage: Bool = false) {
    (self.text, self.node, self.hint, self.isUsage) = (text, node, hint, isUsage)
  }

  public var description: String {
    (node.isEmpty ? "" : "\(node): ") + text + (hint.isEmpty ? "" : ". Hint: \(hint)")
  }
}

/// What went wrong, of all nodes.
public struct NodeFailures: Error, Sendable {
  /// At least one.
  public let errors: [NodeError]

  public init(errors: [NodeError]) { self.errors = errors }
}

/// The user asked to end.
public struct NodeInterrupted: Error {
  package init() {}
}

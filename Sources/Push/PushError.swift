import Nodes

/// What keeps bundles from their node.
public typealias PushError = NodeError

/// The user asked to end.
public typealias PushInterrupted = NodeInterrupted

/// What went wrong, of all nodes.
public typealias PushFailures = NodeFailures

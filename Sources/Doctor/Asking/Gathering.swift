import Synchronization

/// What threads of nodes find, by node.
final class Gathering<Value: Sendable>: Sendable {
  private let found = Mutex<[Int: Value]>([:])

  func set(_ node: Int, _ value: Value) { found.withLock { $0[node] = value } }
  var values: [Int: Value] { found.withLock { $0 } }
  var count: Int { found.withLock { $0.count } }
}

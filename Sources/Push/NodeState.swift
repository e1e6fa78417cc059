import Checkpoint
import Nodes

/// How far a node is.
public struct NodeState: Sendable {
  public enum Phase: Sendable, Equatable {
    case waiting
    /// Bytes there, and all that are wanted there.
    case sending(done: Int, total: Int)
    case verifying(done: Int, total: Int)
    /// Everything is there and has been verified.
    case finished
    /// It sees the folder that is pushed.
    case sharesSource
    /// It sees the folder of the node of this number, which gets the bundles of both.
    case shares(Int)
    case failed
    /// The user ended it.
    case interrupted
  }

  public let host: String
  public internal(set) var phase = Phase.waiting
  /// Bytes of whole bundles that were there before; nil where nobody has looked.
  public internal(set) var present: Int?
  /// Bundles that are to lie there, those of nodes that share its folder too.
  public internal(set) var bundles: [BundleName]
  public internal(set) var bytes: Int
  /// Bytes that rsync brought, without what it found in files that were begun.
  public internal(set) var sent = 0
  /// What verified them: "flotilla 0.1.0" or "sha256sum".
  public internal(set) var verifier: String?
}

/// Something worth telling that happened on the way.
public struct PushEvent: Sendable, Equatable {
  public enum Kind: Sendable, Equatable {
    /// Nothing is wrong.
    case note(String)
    /// Something went wrong and is tried again.
    case warning(String)
    /// A file there is not what the manifest says.
    case damage(FileDamage)
    case failed(PushError)
    /// The node's ``NodeState/phase`` is one that stays.
    case settled
  }

  public let node: Int
  public let kind: Kind
}

/// What is wrong with a file on a node.
public struct FileDamage: Sendable, Equatable {
  public let file: String
  /// "tensor NAME", "file size", "sha256".
  public let subject: String
  public let expected: String
  public let found: String
}

/// A script for the `sh` of a node. It is one group in braces, so that a cut one does nothing, and says where its own
/// words begin, since a login may print others.
package enum NodeScript {
  static let begin = "flotilla-begin"
  static let end = "flotilla-end"

  /// - Parameter setting: assignments that come first, each line ended.
  package static func bytes(setting: String = "", _ body: String) -> [UInt8] {
    Array("{\n\(setting)echo \(begin)\n\(body)\necho \(end)\nexit 0\n}\n".utf8)
  }
}

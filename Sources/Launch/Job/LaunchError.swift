/// What keeps a job from being started, in words for the person who wants it.
public struct LaunchError: Error, Sendable, Equatable, CustomStringConvertible {
  public let description: String

  package init(_ text: String, hint: String = "") { description = text + (hint.isEmpty ? "" : ". Hint: \(hint)") }
}

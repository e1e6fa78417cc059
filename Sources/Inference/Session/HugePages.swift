import Kernels

/// Whether the weights of a prepared model are copied from their files into huge pages.
public enum HugePages: String, CaseIterable, Sendable {
  /// Where the memory of the host has room for them.
  case auto
  case on
  /// Weights run where the files are mapped.
  case off

  /// - Parameters:
  ///   - checks: what is done with the files' own pages; `populate` and `lock` want to keep these.
  ///   - machine: read only where it decides.
  ///   - hasRoom: whether all that the ranks of this host need fits into its free memory.
  /// - Throws: ``RequestError`` where the files' pages are to be kept too.
  package func copies(
    _ checks: PreparedChecks, machine: @autoclosure () -> MachineFacts, hasRoom: () -> Bool
  ) throws -> Bool {
    let keepsPages = !checks.isDisjoint(with: [.populate, .lock])
    switch self {
    case .off: return false
    case .auto: return !keepsPages && hasRoom() && !machine().refusesHugePages
    case .on:
      guard !keepsPages else {
        throw RequestError(
          "--huge-pages: expected auto or off beside --populate and --mlock, which keep the files' own pages, found on")
      }
      return true
    }
  }
}

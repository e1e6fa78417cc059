/// Names of nodes as hostfiles have them: host, or user@host.
package enum NodeName {
  /// Without the user.
  package static func host(_ name: String) -> String { name.split(separator: "@").last.map(String.init) ?? name }
}

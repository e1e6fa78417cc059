/// Names of nodes as hostfiles have them: host, or user@host.
package enum NodeName {
  /// Without the user.
  package static func host(_ name: String) -> String { name.split(separator: "@").last.map(String.init) ?? name }

  /// Whether it is the name or address of a node, or user@name. Names reach command lines and hostfiles: nothing that a
  /// program could take for an option, or a shell for more than a name.
  package static func isRight(_ name: String) -> Bool {
    let parts = name.split(separator: "@", omittingEmptySubsequences: false)
    let host = parts[parts.count - 1]
    let isAddress = host.contains(":")
    return parts.count <= 2
      && parts.allSatisfy { part in
        !part.isEmpty && part.first != "-"
          && part.utf8.allSatisfy { byte in
            switch byte {
            case 48...57, 65...90, 97...122: true
            case UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"): true
            case UInt8(ascii: ":"): isAddress && part == host
            default: false
            }
          }
      }
  }
}

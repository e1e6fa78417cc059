/// A script for the `sh` of a node. It is one group in braces, so that a cut one does nothing, and says where its own
/// words begin, since a login may print others.
package enum NodeScript {
  static let begin = "flotilla-begin"
  package static let end = "flotilla-end"

  /// - Parameter setting: assignments that come first, each line ended.
  package static func bytes(setting: String = "", _ body: String) -> [UInt8] {
    Array("{\n\(setting)echo \(begin)\n\(body)\necho \(end)\nexit 0\n}\n".utf8)
  }

  /// Takes `$p` up to the nearest folder that is there, and tells the disk that it is on.
  package static let disk = """
    while [ ! -d "$p" ]; do
      case $p in
      */*) p=${p%/*}; [ -n "$p" ] || p=/ ;;
      *) p=. ;;
      esac
    done
    echo "disk $(df -Pk "$p" 2>/dev/null | tail -n 1)"
    """

  /// The available bytes in a line of `df -Pk`; the name of a file system or folder may hold spaces.
  package static func freeBytes(_ line: String) -> Int? {
    let words = line.split(separator: " ")
    guard let share = words.lastIndex(where: { $0.hasSuffix("%") && Int($0.dropLast()) != nil }), share >= 1,
      let kibibytes = Int(words[share - 1])
    else { return nil }
    return kibibytes.multipliedReportingOverflow(by: 1024).partialValue
  }
}

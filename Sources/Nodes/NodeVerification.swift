import StrictJSON

/// What flotilla on a node says of the bundles there, as it compares them with their manifest.
package struct NodeVerification {
  /// The first difference of a file.
  package struct Damage: Sendable {
    package let file: String
    package let subject: String
    package let expected: String
    package let found: String
  }

  package private(set) var damages: [Damage] = []
  /// Whether all was compared; without that the damages say nothing.
  package private(set) var isComplete = false

  package init() {}

  /// The command for a node's shell. Damages end it with 2, as what is wrong with its options does.
  ///
  /// - Parameters:
  ///   - program: path of flotilla there.
  ///   - model: the folder, as the shell reads it.
  ///   - bundles: as people list them.
  ///   - more: further options, as the shell reads them.
  package static func command(program: String, model: String, bundles: String, more: String = "") -> String {
    "\(ShellText.quoted(program)) inspect \(model) --verify --bundles \(ShellText.quoted(bundles))"
      + "\(more.isEmpty ? "" : " ")\(more) --json </dev/null || [ $? -le 2 ] || exit 1"
  }

  /// - Parameters:
  ///   - line: of what the command prints.
  ///   - progress: bytes so far, and in all.
  package mutating func take(_ line: String, progress: (_ done: Int, _ total: Int) -> Void) {
    guard let event = (try? StrictJSON.parse(Array(line.utf8)))?.object else { return }
    func text(_ name: String) -> String { event[name]?.string ?? "" }
    switch event["event"]?.string {
    case "progress": progress(event["done"]?.int ?? 0, event["total"]?.int ?? 0)
    case "damage":
      damages.append(
        Damage(file: text("file"), subject: text("subject"), expected: text("expected"), found: text("found")))
    case "verified": isComplete = true
    default: break
    }
  }
}

/// What is wrong with a checkpoint: one file, one tensor or field, what was expected, what was found, what to do.
public struct CheckpointError: Error, CustomStringConvertible, Equatable {
  /// Name of the file, relative to the checkpoint's folder.
  public var file: String
  /// `tensor NAME`, `field NAME`, or a part of the file such as `header`.
  public var subject: String
  public var expected: String
  public var found: String
  /// What a person can do about it.
  public var hint: String

  public init(file: String, subject: String, expected: String, found: String, hint: String) {
    self.file = file
    self.subject = subject
    self.expected = expected
    self.found = found
    self.hint = hint
  }

  /// Whether a disk is too small: no fault of the checkpoint or the options.
  public var isOfDisk: Bool { subject == "disk" }

  public var description: String {
    let text = "\(file): \(subject): expected \(expected), found \(found). Hint: \(hint)"
    return CheckpointError.printable(text)
  }

  /// Files are not trusted: their names reach a terminal without control characters and not at any length.
  private static func printable(_ text: String) -> String {
    var out = String.UnicodeScalarView()
    for scalar in text.unicodeScalars.prefix(4000) {
      switch scalar.properties.generalCategory {
      case .control, .format, .surrogate, .lineSeparator, .paragraphSeparator: out.append("\u{FFFD}")
      default: out.append(scalar)
      }
    }
    return String(out)
  }
}

extension CheckpointError {
  /// What helps against a damaged bundle: prepare compares what it finds, and makes anew what differs.
  public static let wayToNewBundle = "copy it again, or give flotilla prepare the same arguments again"

  /// `name` shortened for a message.
  static func short(_ name: String) -> String {
    name.unicodeScalars.count <= 200 ? name : String(String.UnicodeScalarView(name.unicodeScalars.prefix(200))) + "…"
  }

  static func tensor(
    _ name: String, file: String, expected: String, found: String, hint: String
  ) -> CheckpointError {
    CheckpointError(
      file: file, subject: "tensor \(short(name))", expected: expected, found: short(found), hint: hint)
  }

  static func field(
    _ name: String, file: String, expected: String, found: String, hint: String
  ) -> CheckpointError {
    CheckpointError(file: file, subject: "field \(short(name))", expected: expected, found: short(found), hint: hint)
  }
}

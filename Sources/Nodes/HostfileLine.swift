/// A line of a hostfile: `name key=value ...`, then perhaps a comment.
struct HostfileLine {
  let file: String
  /// From 1.
  let number: Int
  let scalars: [Unicode.Scalar]
  private var position = 0

  init(file: String, number: Int, scalars: [Unicode.Scalar]) {
    self.file = file
    self.number = number
    self.scalars = scalars
  }

  /// - Returns: nil for a line without a name.
  mutating func read() throws(HostfileError) -> (name: String, slots: Int?)? {
    guard let name = word() else {
      try refuseSign()
      return nil
    }
    try check(name)
    var slots: Int?
    var most: (value: Int, column: Int)?
    while let key = word() {
      switch key.text {
      case "slots": slots = try value(of: key, given: slots != nil).value
      case "max_slots", "max-slots": most = try value(of: key, given: most != nil)
      default: throw error(at: key.column, "slots=N or max_slots=N", "\"\(key.text.prefix(40))\"", "one node a line")
      }
    }
    try refuseSign()
    if let most, let slots, most.value < slots {
      throw error(at: most.column, "max_slots of \(slots) or more", "\(most.value)", "slots are the ranks to start")
    }
    // As mpirun has it.
    return (name.text, slots ?? most?.value)
  }

  private struct Word {
    let text: String
    let column: Int
  }

  private static let blank: Set<Unicode.Scalar> = [" ", "\t", "\r"]

  private mutating func skipBlanks() {
    while position < scalars.count, Self.blank.contains(scalars[position]) { position += 1 }
  }

  private mutating func word() -> Word? {
    skipBlanks()
    let start = position
    while position < scalars.count, !Self.blank.contains(scalars[position]), scalars[position] != "=",
      scalars[position] != "#"
    { position += 1 }
    guard position > start else { return nil }
    var text = String.UnicodeScalarView()
    text.append(contentsOf: scalars[start..<position])
    return Word(text: String(text), column: start + 1)
  }

  /// What is left of a line must be a comment.
  private mutating func refuseSign() throws(HostfileError) {
    skipBlanks()
    guard position < scalars.count, scalars[position] != "#" else { return }
    throw error(at: position + 1, "a name", "\"\(scalars[position])\"", "name slots=1")
  }

  private mutating func value(of key: Word, given: Bool) throws(HostfileError) -> (value: Int, column: Int) {
    guard !given else { throw error(at: key.column, "\(key.text) once", "it again", "one number for each node") }
    skipBlanks()
    guard position < scalars.count, scalars[position] == "=" else {
      throw error(at: position + 1, "= behind \(key.text)", found(), "\(key.text)=1")
    }
    position += 1
    guard let number = word() else {
      throw error(at: position + 1, "a number behind \(key.text)=", found(), "\(key.text)=1")
    }
    let isDecimal = number.text.utf8.allSatisfy { (48...57).contains($0) } && number.text.utf8.count <= 9
    guard isDecimal, let value = Int(number.text), value <= Hostfile.mostRanks else {
      throw error(
        at: number.column, "a number from 0 to \(Hostfile.mostRanks) behind \(key.text)=",
        "\"\(number.text.prefix(40))\"", "\(key.text)=1")
    }
    return (value, number.column)
  }

  private func found() -> String {
    position < scalars.count && scalars[position] != "#" ? "\"\(scalars[position])\"" : "the end of the line"
  }

  private func check(_ name: Word) throws(HostfileError) {
    guard NodeName.isRight(name.text) else {
      throw error(
        at: name.column, "the name or address of a node, or user@name", "\"\(name.text.prefix(40))\"",
        "relative nodes (+n0), exclusions (^name) and lists are not supported")
    }
  }

  /// - Parameter column: from 1.
  func error(at column: Int, _ expected: String, _ found: String, _ hint: String) -> HostfileError {
    HostfileError(file: file, line: number, column: column, expected: expected, found: found, hint: hint)
  }
}

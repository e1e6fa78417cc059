import ArgumentParser
import Foundation
import Launch

/// When output is colored.
enum ColorChoice: String, AnyCaseArgument, Sendable {
  case auto, always, never
}

/// What a stream of this process can show.
struct Terminal: Sendable {
  /// Whether a person watches the stream as it comes.
  let isInteractive: Bool
  /// Columns; 80 where nobody knows.
  let width: Int
  let isColored: Bool

  static var standardOutput: Terminal { Terminal(STDOUT_FILENO) }
  static var standardError: Terminal { Terminal(STDERR_FILENO) }

  /// - Parameter color: `auto` means a terminal, neither `NO_COLOR` nor `TERM=dumb`, and no launcher: mpirun
  ///   puts a terminal of its own behind every rank's standard output, wherever that goes in the end.
  init(
    _ descriptor: Int32, color: ColorChoice = .auto, process: ProcessRank = .current,
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) {
    if let facts = LauncherLink.current?.terminal {
      isInteractive = descriptor == STDERR_FILENO ? facts.showsErrors : facts.showsOutput
      width = facts.columns
      isColored = color == .always || (color == .auto && isInteractive && facts.isColored)
      return
    }
    // mpirun's own terminal is nobody's.
    isInteractive = isatty(descriptor) == 1 && !process.isLaunched && environment["TERM"] != "dumb"
    var size = winsize()
    let isKnown = isInteractive && ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
    width = isKnown ? max(20, Int(size.ws_col)) : environment["COLUMNS"].flatMap { Int($0) }.map { max(20, $0) } ?? 80
    switch color {
    case .always: isColored = true
    case .never: isColored = false
    case .auto: isColored = isInteractive && (environment["NO_COLOR"] ?? "").isEmpty
    }
  }

  enum Style: String {
    case dim = "\u{1B}[2m"
    case bold = "\u{1B}[1m"
    case green = "\u{1B}[32m"
    case yellow = "\u{1B}[33m"
    case red = "\u{1B}[31m"
    fileprivate static let off = "\u{1B}[0m"
  }

  /// Switches a style on for what follows; empty without color.
  func begin(_ style: Style) -> String { isColored ? style.rawValue : "" }

  /// Back to plain.
  var end: String { isColored ? Style.off : "" }

  /// What a model says, which is no command to a person's terminal: control characters but line feed and tab are
  /// replaced there. Files and pipes get every byte.
  func shown(_ text: String) -> String {
    func isHarmless(_ scalar: Unicode.Scalar) -> Bool {
      scalar == "\n" || scalar == "\t" || scalar.properties.generalCategory != .control
    }
    guard isInteractive, !text.unicodeScalars.allSatisfy(isHarmless) else { return text }
    var kept = String.UnicodeScalarView()
    kept.append(contentsOf: text.unicodeScalars.map { isHarmless($0) ? $0 : "\u{FFFD}" })
    return String(kept)
  }

  func styled(_ text: String, _ style: Style) -> String { begin(style) + text + end }
}

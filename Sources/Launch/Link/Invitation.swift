import Foundation

/// What a launcher tells the ranks through their environment: where it listens, and what its terminal can do.
public struct Invitation: Codable, Sendable, Equatable {
  /// The environment variable that holds it, as JSON.
  public static let variable = "FLOTILLA_LAUNCHER"

  /// Proves that a connection comes from the job; 32 hexadecimal digits.
  public var secret: String
  /// Where the launcher listens, best first: `unix:PATH`, or `HOST:PORT` with IPv6 hosts in brackets.
  public var addresses: [String]
  public var terminal: TerminalFacts
  /// Whether the launcher holds the journal.
  public var holdsJournal = false
  /// Whether the job goes on with what an earlier one of the same launcher has left.
  public var isRestart = false
  /// Whether the launcher starts the job again after a loss.
  public var canRestart = false

  public init(secret: String, addresses: [String], terminal: TerminalFacts) {
    self.secret = secret
    self.addresses = addresses
    self.terminal = terminal
  }

  public var text: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    // Plain strings and numbers: this cannot fail.
    return String(decoding: (try? encoder.encode(self)) ?? Data(), as: UTF8.self)
  }

  /// - Returns: nil where no launcher started this process.
  /// - Throws: ``LinkError`` where the variable holds something else.
  public static func current(
    _ environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws -> Invitation? {
    guard let text = environment[variable], !text.isEmpty else { return nil }
    do {
      return try JSONDecoder().decode(Invitation.self, from: Data(text.utf8))
    } catch {
      throw LinkError(
        "\(variable): expected what flotilla launch writes there, found \"\(text.prefix(80))\"",
        hint: "unset \(variable), and start the ranks with flotilla launch or with plain mpirun")
    }
  }
}

/// What the three streams of the launcher lead to.
public struct TerminalFacts: Codable, Sendable, Equatable {
  /// Whether somebody can type.
  public var hasInput: Bool
  /// Whether a person watches standard output, and standard error.
  public var showsOutput: Bool
  public var showsErrors: Bool
  /// Whether both go to one and the same screen.
  public var isOneScreen: Bool
  public var columns: Int
  /// Whether colors are wanted: no `NO_COLOR`.
  public var isColored: Bool

  public init(
    hasInput: Bool, showsOutput: Bool, showsErrors: Bool, isOneScreen: Bool, columns: Int, isColored: Bool
  ) {
    self.hasInput = hasInput
    self.showsOutput = showsOutput
    self.showsErrors = showsErrors
    self.isOneScreen = isOneScreen
    self.columns = columns
    self.isColored = isColored
  }
}

/// What is wrong between launcher and coordinator.
public struct LinkError: Error, Sendable, Equatable, CustomStringConvertible {
  public let description: String
  init(_ text: String, hint: String = "") { description = text + (hint.isEmpty ? "" : ". Hint: \(hint)") }
}

import Foundation
import Glibc
import Kernels
import Synchronization

/// The coordinator's end of the link to the launcher that started the job.
///
/// What the coordinator writes to standard output and standard error goes straight to the launcher, past mpirun, so
/// that it comes out as it was written wherever the coordinator runs.
public final class CoordinatorLink: Sendable {
  public var terminal: TerminalFacts { invitation.terminal }
  public let invitation: Invitation
  private let address: String
  private let control: Int32
  private let answers = Mutex<[LineAnswer]>([])
  private let isReadingInput = Mutex(false)
  private let hasWord = Mutex(false)

  private static let timeout = 5.0

  /// Connects where a launcher started the job.
  ///
  /// - Parameter onInterrupt: the person pressed Ctrl-C, or the launcher is gone. On a thread of its own.
  /// - Returns: nil where there is no launcher.
  /// - Throws: ``LinkError`` where it cannot be reached.
  public static func attach(onInterrupt: @escaping @Sendable () -> Void) throws -> CoordinatorLink? {
    guard let invitation = try Invitation.current() else { return nil }
    return try CoordinatorLink(invitation, onInterrupt: onInterrupt)
  }

  private init(_ invitation: Invitation, onInterrupt: @escaping @Sendable () -> Void) throws {
    self.invitation = invitation
    (control, address) = try Self.reach(invitation)
    let screens: [(Greeting.Purpose, [Int32])] =
      invitation.terminal.isOneScreen
      ? [(.screen, [STDOUT_FILENO, STDERR_FILENO])] : [(.output, [STDOUT_FILENO]), (.errors, [STDERR_FILENO])]
    for (purpose, descriptors) in screens {
      let stream = try Self.open(address, invitation.secret, purpose)
      for descriptor in descriptors { dup2(stream, descriptor) }
      close(stream)
    }
    Thread.detachNewThread { [control] in
      var reader = MessageReader<CoordinatorMessage>()
      while case let bytes = Descriptor.read(control), !bytes.isEmpty {
        guard let messages = try? reader.add(bytes) else { break }
        for message in messages {
          switch message {
          case .interrupt:
            self.hasWord.withLock { $0 = true }
            onInterrupt()
          case .answer(let answer): self.answers.withLock { $0.append(answer) }
          }
        }
      }
      self.answers.withLock { $0.append(.end) }
      self.hasWord.withLock { $0 = true }
      onInterrupt()
    }
  }

  /// The first address that answers.
  private static func reach(_ invitation: Invitation) throws -> (Int32, String) {
    var errors: [String] = []
    for address in invitation.addresses {
      do {
        return (try open(address, invitation.secret, .control), address)
      } catch {
        errors.append("\(error)")
      }
    }
    throw LinkError(
      "the launcher cannot be reached from the coordinator's host: " + errors.joined(separator: "; "),
      hint: "a firewall must let the nodes reach the machine on which flotilla launch runs")
  }

  private static func open(_ address: String, _ secret: String, _ purpose: Greeting.Purpose) throws -> Int32 {
    let descriptor = try StreamSocket.connect(address, timeout: timeout)
    guard Descriptor.write(Greeting(secret: secret, purpose: purpose).bytes, to: descriptor) == 0 else {
      close(descriptor)
      throw LinkError("\(address): the launcher closed the connection")
    }
    return descriptor
  }

  /// Whether the launcher has asked for the end, or is gone.
  public var isEndWanted: Bool { hasWord.withLock { $0 } }

  /// Standard output as it goes to the launcher.
  public func output(_ bytes: [UInt8]) -> [UInt8] { terminal.isOneScreen ? ScreenFrame.bytes(bytes) : bytes }

  /// The journal that the launcher holds.
  ///
  /// - Returns: what it says so far, and where to write what follows.
  public func openJournal() throws -> (contents: [UInt8], descriptor: Int32) {
    let stream = try Self.open(address, invitation.secret, .journal)
    var contents: [UInt8] = []
    while case let bytes = Descriptor.read(stream), !bytes.isEmpty { contents += bytes }
    return (contents, stream)
  }

  /// Tells how far the run is. Never waits for long, never fails: a launcher that is gone is noticed elsewhere.
  public func report(_ status: RunStatus) { send(.status(status)) }

  /// Asks the person for a line; ``answer()`` gives it.
  public func ask(_ prompt: String) { send(.ask(prompt: prompt)) }

  /// The next answer, where there is one.
  public func answer() -> LineAnswer? { answers.withLock { $0.isEmpty ? nil : $0.removeFirst() } }

  private func send(_ message: LauncherMessage) { Descriptor.write(message.messageBytes, to: control) }

  /// Puts the launcher's standard input behind this process's own, once it is wanted: a launcher takes nothing from a
  /// terminal that nobody reads.
  public func takeInput() throws {
    try isReadingInput.withLock { isReading in
      guard !isReading else { return }
      let stream = try Self.open(address, invitation.secret, .input)
      dup2(stream, STDIN_FILENO)
      close(stream)
      isReading = true
    }
  }
}

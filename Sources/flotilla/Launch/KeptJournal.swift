import ArgumentParser
import Foundation
import Inference
import Launch

/// The journal of a launched `generate`: the launcher holds it, since the coordinator's node may be the one that is
/// lost. Tells the command that begins and the one that goes on.
final class KeptJournal {
  /// The command that begins.
  let command: [String]
  private let file: JournalFile
  /// Whether nobody asked for it.
  private let isTemporary: Bool
  private let given: [String]

  /// - Parameters:
  ///   - command: of flotilla, with its name first.
  ///   - isNeeded: whether there must be one, asked for or not.
  /// - Returns: nil where there is none to keep.
  /// - Throws: `JournalError`, and for a command that keeps none.
  init?(_ command: [String], isNeeded: Bool) throws {
    guard let generate = try Flotilla.parseAsRoot(command) as? Generate else {
      if isNeeded { throw UsageError("--restart: expected generate, found \(command[0]), which keeps no journal") }
      return nil
    }
    if isNeeded, generate.output.recordRouting != nil {
      throw UsageError(
        "--restart: expected generate without --record-routing, whose file is new and of one job",
        hint: "leave one of the two out")
    }
    given = command
    let options = generate.journal
    isTemporary = options.journal == nil && options.resume == nil
    if let path = options.resume {
      file = try JournalFile(existing: path, interval: options.interval)
      _ = try file.mended()
      self.command = command
    } else if let path = options.journal {
      file = try JournalFile(creating: path, interval: options.interval)
      self.command = command
    } else {
      guard isNeeded else { return nil }
      let folder = FileManager.default.temporaryDirectory
      let path = folder.appending(path: "flotilla-\(UUID().uuidString).journal").path(percentEncoded: false)
      file = try JournalFile(creating: path, interval: options.interval)
      self.command = [command[0], "--journal", path] + command.dropFirst()
    }
    // What takes it apart later is tried now.
    _ = try commandToGoOn(dropsRoles: true)
  }

  /// Goes on behind what has been kept.
  ///
  /// - Parameter dropsRoles: whether roles and placement were for another number of ranks.
  private func commandToGoOn(dropsRoles: Bool) throws -> [String] {
    let dropped = Set(Generate.namesInJournals + ["--journal", "--resume"] + (dropsRoles ? Self.roles : []))
    guard let names = OptionNames(of: Flotilla.self, subcommand: given[0]) else { return given }
    let words = [given[0], "--resume", file.path] + names.removing(dropped, from: given.dropFirst())
    do {
      _ = try Flotilla.parseAsRoot(words)
    } catch {
      throw UsageError(
        "--restart: expected a command that can be taken apart, found \"\(given.joined(separator: " "))\"",
        hint: "write each short option apart, as -q -p \"…\"")
    }
    return words
  }

  static let roles = ["--placement", "--coordinator-rank", "--router-rank", "--coordinator-experts"]

  /// The command after a loss, and how many tokens it need not generate.
  func afterLoss(dropsRoles: Bool) throws -> (command: [String], tokens: Int) {
    guard let journal = try file.mendedIfBegun() else {
      guard dropsRoles, let names = OptionNames(of: Flotilla.self, subcommand: given[0]) else { return (command, 0) }
      return ([command[0]] + names.removing(Set(Self.roles), from: command.dropFirst()), 0)
    }
    return (try commandToGoOn(dropsRoles: dropsRoles), journal.generatedTokens)
  }

  /// A journal that nobody asked for goes, unless it holds what would be lost.
  ///
  /// - Returns: where it lies, if it stays.
  func end(isLost: Bool) -> String? {
    guard isTemporary else { return nil }
    if isLost, (try? file.mendedIfBegun()) != nil { return file.path }
    unlink(file.path)
    return nil
  }
}

extension KeptJournal: LauncherJournal {
  func contents() throws -> [UInt8] { try file.contents() }
  func append(_ bytes: [UInt8]) throws { try file.append(bytes) }
}

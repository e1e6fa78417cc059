import Foundation
import Inference
import Launch

/// Where a chat's lines come from. Whoever waits for one goes on with `meanwhile`, since the other ranks want to hear
/// from the coordinator.
protocol LineSource: AnyObject {
  /// - Returns: nil at the end.
  func next(prompt: String, meanwhile: () throws -> Void) throws -> String?
}

/// The terminal of `flotilla launch`, which edits the line.
final class LauncherLines: LineSource {
  private let link: CoordinatorLink

  init(_ link: CoordinatorLink) { self.link = link }

  func next(prompt: String, meanwhile: () throws -> Void) throws -> String? {
    link.ask(prompt)
    while true {
      switch link.answer() {
      case .line(let line): return line
      case .end: return nil
      case nil: try meanwhile()
      }
    }
  }
}

/// This process's own terminal.
final class TerminalLines: LineSource {
  private let prompt = LinePrompt()

  func next(prompt text: String, meanwhile: () throws -> Void) throws -> String? {
    prompt.ask(text)
    defer { prompt.end() }
    var answer = prompt.add([])
    while answer == nil {
      guard StandardInput.isReady(within: 0.02) else {
        try meanwhile()
        continue
      }
      let bytes = try StandardInput.readSome()
      answer = bytes.isEmpty ? prompt.close() : prompt.add(bytes)
    }
    if case .line(let line)? = answer { return line }
    return nil
  }
}

/// Lines of a file or a pipe, each a turn.
final class PlainLines: LineSource {
  private var pending: [UInt8] = []
  private var hasEnded = false

  func next(prompt: String, meanwhile: () throws -> Void) throws -> String? {
    try LauncherLink.takeInput()
    while true {
      if let end = pending.firstIndex(of: 10) {
        defer { pending.removeSubrange(...end) }
        return try text(pending[..<end])
      }
      guard !hasEnded else {
        defer { pending = [] }
        return pending.isEmpty ? nil : try text(pending[...])
      }
      if Fleet.isInterrupted { return nil }
      guard StandardInput.isReady(within: 0.02) else {
        try meanwhile()
        continue
      }
      let bytes = try StandardInput.readSome()
      hasEnded = bytes.isEmpty
      pending += bytes
    }
  }

  private func text(_ bytes: ArraySlice<UInt8>) throws -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw InputError("standard input: expected UTF-8, found other bytes", hint: "Convert it, as with iconv -t UTF-8")
    }
    return text.hasSuffix("\r") ? String(text.dropLast()) : text
  }
}

import Foundation
import Nodes

/// The rsync that runs here.
package enum Rsync {
  /// Since when it tells its progress over all files.
  static let oldest = (3, 1)

  /// - Throws: ``PushError`` where it is missing or too old.
  static func check(isCancelled: () -> Bool) throws {
    let hint = "install rsync 3.1 or later here: apt-get install rsync"
    var text: [UInt8] = []
    let child: ChildProcess
    do {
      child = try ChildProcess.run(["rsync", "--version"], isCancelled: isCancelled) { text += $0 }
    } catch {
      throw PushError("rsync: expected the program in PATH, found none", hint: hint)
    }
    if child.ending == .cancelled { throw PushInterrupted() }
    let first = String(decoding: text, as: UTF8.self).split(separator: "\n").first.map(String.init) ?? ""
    guard let version = version(first), version >= oldest else {
      throw PushError("rsync: expected version 3.1 or later, found \"\(first.prefix(80))\"", hint: hint)
    }
  }

  /// Of "rsync  version 3.2.7  protocol version 31".
  package static func version(_ line: String) -> (Int, Int)? {
    let words = line.split(separator: " ")
    guard words.count >= 3, words[0] == "rsync", words[1] == "version" else { return nil }
    let numbers = words[2].drop { $0 == "v" }.split(separator: ".").prefix(2).map { Int($0) }
    guard numbers.count == 2, let major = numbers[0], let minor = numbers[1] else { return nil }
    return (major, minor)
  }

  /// How rsync finds out what is there already.
  enum Comparison: String {
    /// Bundles: hashes are compared at the end anyway, so time stamps do not matter.
    case size = "--size-only"
    /// Small files.
    case content = "--checksum"
    /// A damaged file: its blocks are compared and those that differ sent.
    case blocks = "--ignore-times"
  }

  /// The command that brings files of a folder to a node.
  ///
  /// No compression: weights do not shrink. What was sent before a break stays in ``stage`` and is gone on with; a file
  /// has its name only when it is whole.
  ///
  /// - Parameters:
  ///   - stage: name of the folder for unfinished files, inside the destination; nil for the stage itself.
  ///   - rate: as `--bwlimit` takes it.
  static func command(
    _ files: [String], from folder: String, to destination: String, comparing: Comparison, stage: String?,
    shell: [String]?, rate: String?
  ) -> [String] {
    var words = ["rsync", "--times", comparing.rawValue]
    if let stage { words += ["--partial-dir=\(stage)", "--temp-dir=\(stage)"] }
    // Blocks are compared over the network only, unless told otherwise.
    if comparing == .blocks { words.append("--no-whole-file") }
    words += ["--protect-args", "--timeout=300", "--info=progress2", "--no-human-readable", "--outbuf=N"]
    if let rate { words.append("--bwlimit=\(rate)") }
    if let shell { words += ["-e", ShellText.rsyncCommand(shell)] }
    let base = folder.hasSuffix("/") ? folder : folder + "/"
    return words + ["--"] + files.map { base + $0 } + [destination + "/"]
  }

  /// Bytes done so far in a piece of `--info=progress2`: "  1,048,576  42%  1.00MB/s ..." without the commas.
  package static func progress(_ line: some StringProtocol) -> Int? {
    let words = line.split(separator: " ", maxSplits: 2)
    guard words.count >= 2, words[1].hasSuffix("%") else { return nil }
    return Int(String(words[0].filter { $0 != "," }))
  }

  /// Exit codes of a connection that broke, or never came about; the rest is gone on with.
  static let broken: Set<Int32> = [10, 12, 30, 35, 255]
}

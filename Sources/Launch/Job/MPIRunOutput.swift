/// What mpirun prints on standard error, told apart: lines of ranks, which pass, and its own banners, which are kept
/// until one knows whether they say anything new.
package struct MPIRunOutput {
  /// Banners so far, without the dashes around them.
  package private(set) var banners: [String] = []
  /// What the first rank said that told what went wrong; nil where none did.
  package private(set) var complaint: String?
  private var pending: [UInt8] = []
  private var banner: [String]?

  package init() {}

  private static let mostKept = 64 << 10

  /// - Returns: lines that a person should see now, with their line feeds.
  package mutating func add(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    pending += bytes
    var shown: [UInt8] = []
    while let end = pending.firstIndex(of: 10) {
      shown += take(String(decoding: pending[..<end], as: UTF8.self))
      pending.removeSubrange(...end)
    }
    if pending.count > Self.mostKept {
      shown += pending
      pending = []
    }
    return shown
  }

  /// What is left at the end.
  package mutating func finish() -> [UInt8] {
    let rest = pending.isEmpty ? [] : take(String(decoding: pending, as: UTF8.self))
    pending = []
    if let open = banner, !open.isEmpty { banners.append(open.joined(separator: "\n")) }
    banner = nil
    return rest
  }

  private mutating func take(_ line: String) -> [UInt8] {
    if line.utf8.count >= 40, line.utf8.allSatisfy({ $0 == UInt8(ascii: "-") }) {
      if let open = banner {
        if !open.isEmpty { banners.append(open.joined(separator: "\n")) }
        banner = nil
      } else {
        banner = []
      }
      return []
    }
    if banner != nil {
      banner!.append(line)
      return []
    }
    // "[node:1234] …" is the runtime speaking.
    if line.hasPrefix("["), let bracket = line.firstIndex(of: "]"), line[..<bracket].contains(":") {
      banners.append(line)
      return []
    }
    if complaint == nil, line.hasPrefix("error: ") { complaint = String(line.dropFirst(7)) }
    return Array(line.utf8) + [10]
  }

  /// A node to whose daemon mpirun has no connection any more, as its banner tells it; nil where there is none.
  package var lostNode: String? {
    for text in banners where text.contains("lost communication") {
      for line in text.split(separator: "\n") where line.contains("Remote daemon") {
        guard let node = line.range(of: " on node ") else { continue }
        return String(line[node.upperBound...].prefix { !$0.isWhitespace })
      }
    }
    return nil
  }

  /// A rank that went, as mpirun tells it.
  package struct Loss: Equatable {
    package let rank: Int
    package let host: String
    /// "signal 9 (Killed)", or nil where it was no signal.
    package let signal: String?
  }

  /// The first rank that mpirun says has gone.
  package var loss: Loss? {
    for text in banners {
      let words = text.split(whereSeparator: \.isWhitespace).map(String.init)
      guard let start = words.firstIndex(of: "rank"), words.count > start + 1, let rank = Int(words[start + 1]),
        let node = words[start...].firstIndex(of: "node"), words.count > node + 1,
        let exited = words[node...].firstIndex(of: "exited")
      else { continue }
      let signal = words[exited...].firstIndex(of: "signal").map { position in
        words[position..<min(position + 3, words.count)].joined(separator: " ").trimmingSuffix(".")
      }
      return Loss(rank: rank, host: words[node + 1], signal: signal)
    }
    return nil
  }
}

extension String {
  fileprivate func trimmingSuffix(_ suffix: String) -> String {
    hasSuffix(suffix) ? String(dropLast(suffix.count)) : self
  }
}
